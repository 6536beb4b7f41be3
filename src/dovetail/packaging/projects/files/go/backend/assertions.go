package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The gateway signs a short-lived JWT (ES256) for the one backend that it calls. Its public keys and its name lie in
// the ConfigMap dovetail-gateway of this namespace, mounted as a directory with issuer and jwks.json. Anybody can send
// a header X-Remote-User; nobody else can sign this one.
const (
	assertionHeader = "X-Dovetail-Assertion"
	assertionType   = "dovetail-assertion+jwt"
)

var errNotSigned = errors.New("the gateway did not sign it")

// Claims is what an assertion says.
type Claims struct {
	Issuer   string   `json:"iss"`
	Audience string   `json:"aud"`
	User     string   `json:"sub"`
	Groups   []string `json:"groups"`
	Expires  int64    `json:"exp"`
}

// Verifier checks assertions. It reads the directory again each time: keys take turns, and files are small.
type Verifier struct {
	Trust    string
	Audience string
}

// Verify returns what the gateway says about the caller.
func (v Verifier) Verify(assertion string, now time.Time) (*Claims, error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return nil, errNotSigned
	}
	var header struct{ Alg, Kid, Typ string }
	if err := decode(parts[0], &header); err != nil || header.Alg != "ES256" || header.Typ != assertionType {
		return nil, errNotSigned
	}
	key, err := v.key(header.Kid)
	if err != nil {
		return nil, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 64 {
		return nil, errNotSigned
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])) {
		return nil, errNotSigned
	}
	var claims Claims
	if err := decode(parts[1], &claims); err != nil {
		return nil, errNotSigned
	}
	return &claims, v.check(&claims, now)
}

func (v Verifier) key(kid string) (*ecdsa.PublicKey, error) {
	data, err := os.ReadFile(filepath.Join(v.Trust, "jwks.json"))
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct{ Kid, X, Y string } `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	for _, key := range set.Keys {
		if key.Kid != kid {
			continue
		}
		x, errX := base64.RawURLEncoding.DecodeString(key.X)
		y, errY := base64.RawURLEncoding.DecodeString(key.Y)
		if errX != nil || errY != nil {
			break
		}
		curve := elliptic.P256()
		public := &ecdsa.PublicKey{Curve: curve, X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
		if curve.IsOnCurve(public.X, public.Y) {
			return public, nil
		}
	}
	return nil, errors.New("its key is unknown")
}

func (v Verifier) check(claims *Claims, now time.Time) error {
	issuer, err := os.ReadFile(filepath.Join(v.Trust, "issuer"))
	switch {
	case err != nil:
		return err
	case claims.Issuer != strings.TrimSpace(string(issuer)):
		return errors.New("another issuer made it")
	case claims.Audience != v.Audience:
		return errors.New("it is meant for another backend")
	case claims.Expires <= now.Unix():
		return errors.New("it has expired")
	}
	return nil
}

func decode(part string, into any) error {
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func encoded(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func sign(t *testing.T, key *ecdsa.PrivateKey, changed map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": "https://gateway", "aud": "me", "sub": "ada", "exp": time.Now().Unix() + 60}
	for name, value := range changed {
		claims[name] = value
	}
	signed := encoded(t, map[string]any{"alg": "ES256", "kid": "k1", "typ": assertionType}) + "." + encoded(t, claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	raw := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(raw)
}

func TestHello(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	strange, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	trust := t.TempDir()
	point := func(value []byte) string { return base64.RawURLEncoding.EncodeToString(value) }
	jwk := map[string]any{
		"kid": "k1", "x": point(key.X.FillBytes(make([]byte, 32))), "y": point(key.Y.FillBytes(make([]byte, 32))),
	}
	jwks, _ := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err := os.WriteFile(filepath.Join(trust, "jwks.json"), jwks, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(trust, "issuer"), []byte("https://gateway"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		assertion string
		code      int
	}{
		"the gateway's word":   {sign(t, key, nil), 200},
		"another key":          {sign(t, strange, nil), 401},
		"another backend":      {sign(t, key, map[string]any{"aud": "you"}), 401},
		"another issuer":       {sign(t, key, map[string]any{"iss": "x"}), 401},
		"expired":              {sign(t, key, map[string]any{"exp": 1}), 401},
		"nothing":              {"", 401},
		"something like a JWT": {"a.b.c", 401},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest("GET", api+"/hello", nil)
			request.Header.Set(assertionHeader, test.assertion)
			request.Header.Set("X-Remote-User", "admin")
			recorder := httptest.NewRecorder()
			handler(Verifier{trust, "me"}).ServeHTTP(recorder, request)
			if recorder.Code != test.code {
				t.Fatalf("got %d: %s", recorder.Code, recorder.Body)
			}
			if test.code == 200 && !strings.Contains(recorder.Body.String(), "Hello, ada!") {
				t.Fatal(recorder.Body)
			}
		})
	}
}

// The backend of [[name]].
//
//	GET /kapis/[[group]]/v1alpha1/hello    greets the user that the gateway vouches for
//	GET /healthz                           ok
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"
)

const api = "/kapis/[[group]]/v1alpha1"

func handler(verifier Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	mux.HandleFunc(api+"/hello", func(w http.ResponseWriter, r *http.Request) {
		claims, err := verifier.Verify(r.Header.Get(assertionHeader), time.Now())
		if err != nil {
			refuse(w, http.StatusUnauthorized, "Unauthorized", "the caller is not known: "+err.Error())
			return
		}
		answer(w, http.StatusOK, map[string]any{"message": fmt.Sprintf("Hello, %s!", claims.User), "groups": claims.Groups})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "NotFound", "there is nothing at "+r.URL.Path)
	})
	return mux
}

// refuse sends an error as Kubernetes clients expect it.
func refuse(w http.ResponseWriter, code int, reason, message string) {
	answer(w, code, map[string]any{
		"kind": "Status", "apiVersion": "v1", "metadata": map[string]any{}, "status": "Failure",
		"code": code, "reason": reason, "message": message,
	})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func main() {
	host := flag.String("host", "127.0.0.1", "the address to listen on")
	port := flag.Int("port", 8080, "0 takes a free port")
	trust := flag.String("trust", "/etc/dovetail", "directory with issuer and jwks.json")
	audience := flag.String("audience", "", "the address by which the gateway calls; default HOST:PORT")
	flag.Parse()
	if *audience == "" {
		*audience = fmt.Sprintf("%s:%d", *host, *port)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", *host, *port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := &http.Server{Handler: handler(Verifier{*trust, *audience}), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}

package server_test

import (
	"crypto/tls"
	"net/http"
)

// unverified returns a client that trusts any server.
func unverified() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

// Package token verifies the service account tokens that sidecars present, without a request to the API server per token.
//
// Tokens, and from time to time the API server's issuer and signing keys, flow in; the service account and pod of a token flow out. The
// caller checks that both still exist, by their UIDs.
//
// The key cache is not go-oidc's RemoteKeySet, which fetches keys on every unknown key ID: anybody could cause requests to
// the API server with forged tokens. It also never drops a key that the API server has withdrawn. The cache here fetches at
// most every 10 s, refreshes keys after 10 minutes, and keeps them while the API server is unavailable.
package token

// Package token verifies the service account tokens that sidecars present, without asking the API server about each.
//
// A token, and now and then the API server's signing keys, flow in; the service account and pod that the token speaks for flow
// out. Whether that pod and that service account still exist is for the caller to check by their UIDs.
package token

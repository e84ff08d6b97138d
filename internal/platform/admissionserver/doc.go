// Package admissionserver serves admission reviews over HTTPS. Every pod of the cluster can connect, so all that clients can use
// is limited.
//
// Its input is a listener, a certificate and a handler of reviews. Its output is responses.
package admissionserver

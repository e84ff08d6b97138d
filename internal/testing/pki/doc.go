// Package pki issues workload certificates for tests, in the same form as the mesh, and authorities like those of a company.
//
// Its input is workload identities. Its output is certificates and keys of a temporary authority, as PEM.
package pki

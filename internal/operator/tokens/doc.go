// Package tokens requests tokens of the operator's ServiceAccount for other servers than the API server.
//
// An audience flows in: that of the report API of a mesh, or that of a Vault. A token with this audience flows out, which is useless at the API
// server.
package tokens

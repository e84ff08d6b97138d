// Package extauthz is all that the mesh knows about ExternalAuthorizations: how they are read, which ones are in force for a pod, what people are told about
// one, and the filter with which a sidecar asks the server.
//
// No folder of a kind imports another one.
package extauthz

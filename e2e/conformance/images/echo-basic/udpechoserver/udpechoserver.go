// Package udpechoserver has the answer of a UDP server to the conformance suite. The tests of meshes do not use it.
package udpechoserver

// EchoResponse is the answer of the server.
type EchoResponse struct {
	Pod string `json:"pod"`
}

// Package tcpserver has what the conformance suite expects of the answers of a TCP server. The tests of meshes do not use it.
package tcpserver

// WelcomeMessage is what the server sends first.
const WelcomeMessage = "WELCOME\n"

// TCPAssertions is the answer of the server.
type TCPAssertions struct {
	Namespace    string       `json:"namespace"`
	Pod          string       `json:"pod"`
	TLSAssertion TLSAssertion `json:"tls"`
}

// TLSAssertion is how a client connects with TLS.
type TLSAssertion struct {
	ServerName         string `json:"serverName"`
	NegotiatedProtocol string `json:"negotiatedProtocol"`
}

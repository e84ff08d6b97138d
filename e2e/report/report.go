package report

import "time"

// The ways in which a request fails without a status code.
const (
	// Refused is a connection that nobody accepted.
	Refused = "refused"
	// Reset is a connection that was accepted and closed without an answer.
	Reset = "reset"
	// Timeout is no answer in time.
	Timeout = "timeout"
	// TLS is a handshake that failed.
	TLS = "tls"
	// DNS is a name that does not resolve.
	DNS = "dns"
	// Other is everything else.
	Other = "other"
	// Starved is no answer in time while the client itself got no processor for half of that time: it says nothing about the server.
	Starved = "starved"
)

// Requests is what came of a number of HTTP requests.
type Requests struct {
	Requests int `json:"requests"`
	// Outcomes counts by status code, or by how the request failed.
	Outcomes map[string]int `json:"outcomes"`
	// Names counts answers by the name of the server that gave them.
	Names map[string]int `json:"names"`
	// Peers counts answers by the address from which the server was called, without its port.
	Peers map[string]int `json:"peers"`
	// Errors holds one example of each failure.
	Errors map[string]string `json:"errors,omitempty"`
	// Late is the longest time by which a request started after its turn: a machine that is too busy, not a slow server.
	Late time.Duration `json:"lateNanoseconds"`
	// LeftOut is how many turns no request was sent in, because too many were under way already.
	LeftOut int `json:"leftOut,omitempty"`
	// Failures are the first that were not answered with 200, with the moments at which they began.
	Failures []Failure `json:"failures,omitempty"`
}

// Failure is a request that was not answered with 200.
type Failure struct {
	// ID is the request's x-request-id, by which sidecars log it.
	ID      string        `json:"id"`
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"tookNanoseconds"`
	Outcome string        `json:"outcome"`
	// Said is the error, or the beginning of the answer.
	Said string `json:"said,omitempty"`
	// Stalled is for how long the client itself got no processor meanwhile.
	Stalled time.Duration `json:"stalledNanoseconds"`
}

// Session is what came of one long TCP connection.
type Session struct {
	// Greeting is what the server said first.
	Greeting  string `json:"greeting,omitempty"`
	Exchanges int    `json:"exchanges"`
	// Failure is how the session ended before its time; empty when it did not.
	Failure string `json:"failure,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Handshake is what came of a TLS handshake without a client certificate.
type Handshake struct {
	// DNSNames, URIs, Serial, NotBefore and NotAfter are those of the server's certificate; empty when it showed none.
	DNSNames  []string  `json:"dnsNames,omitempty"`
	URIs      []string  `json:"uris,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	// Error is how the connection ended; empty when the server let the client in.
	Error string `json:"error,omitempty"`
}

// Stream is what came of asking the control plane for configuration.
type Stream struct {
	// Code is the gRPC status code's name, OK when configuration arrived.
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
	// Resources is the number of resources in the first response.
	Resources int `json:"resources"`
}

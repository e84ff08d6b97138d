package report

import (
	"slices"
	"strings"
	"time"
)

// Outcomes of requests without a status code.
const (
	// Refused means that the connection was refused.
	Refused = "refused"
	// Reset means that the connection was closed without a response.
	Reset = "reset"
	// Timeout means that no response arrived in time.
	Timeout = "timeout"
	// TLS means that the handshake failed.
	TLS = "tls"
	// DNS means that the name does not resolve.
	DNS = "dns"
	// Other is any other failure.
	Other = "other"
	// Starved is a timeout during which the client itself had no processor for half of the time. It proves nothing
	// about the server.
	Starved = "starved"
)

// Requests is the report of a number of HTTP requests.
type Requests struct {
	Requests int `json:"requests"`
	// Outcomes counts requests by status code or failure.
	Outcomes map[string]int `json:"outcomes"`
	// Names counts responses by the name of the server.
	Names map[string]int `json:"names"`
	// Peers counts responses by the client address that the server observed, without the port.
	Peers map[string]int `json:"peers"`
	// Clients counts responses by the first address in X-Forwarded-For that the server received.
	Clients map[string]int `json:"clients,omitempty"`
	// Errors has one example of each failure.
	Errors map[string]string `json:"errors,omitempty"`
	// Late is the longest delay between the scheduled and the actual start of a request. It measures the load of the
	// client's machine.
	Late time.Duration `json:"lateNanoseconds"`
	// Skipped counts scheduled requests that were not sent because too many were in flight.
	Skipped int `json:"skipped,omitempty"`
	// FirstFailure and LastFailure are when the first and the last of the requests without status code 200 started; zero without one.
	FirstFailure time.Time `json:"firstFailure,omitzero"`
	LastFailure  time.Time `json:"lastFailure,omitzero"`
	// Failures are the first requests without status code 200, with their start times.
	Failures []Failure `json:"failures,omitempty"`
}

// Failed returns the number of requests without status code 200. Starved requests do not count, up to one in a hundred: with
// more of them, the run proves nothing.
func (r Requests) Failed() int {
	return r.Requests - r.Outcomes["200"] - min(r.Outcomes[Starved], r.Requests/100)
}

// IsRepresentative reports whether at least half of the scheduled requests were sent.
func (r Requests) IsRepresentative() bool { return r.Requests > r.Skipped }

// Failure is a request without status code 200.
type Failure struct {
	// ID is the x-request-id in the logs of sidecars.
	ID       string        `json:"id"`
	At       time.Time     `json:"at"`
	Duration time.Duration `json:"durationNanoseconds"`
	Outcome  string        `json:"outcome"`
	// Detail is the error, or the beginning of the response.
	Detail string `json:"detail,omitempty"`
	// Stalled is how long the client itself had no processor meanwhile.
	Stalled time.Duration `json:"stalledNanoseconds"`
}

// Mentions reports whether a line of a log is about one of the failures.
func Mentions(line string, failures []Failure) bool {
	return slices.ContainsFunc(failures, func(f Failure) bool { return f.ID != "" && strings.Contains(line, f.ID) })
}

// Session is the report of one long TCP connection.
type Session struct {
	// Greeting is the first line from a server that speaks first.
	Greeting  string `json:"greeting,omitempty"`
	Exchanges int    `json:"exchanges"`
	// Failure is the reason of an early end; empty otherwise.
	Failure string `json:"failure,omitempty"`
	Error   string `json:"error,omitempty"`
	// FailedAt is the time of an early end.
	FailedAt time.Time `json:"failedAt,omitzero"`
}

// Handshake is the report of a TLS handshake without a client certificate.
type Handshake struct {
	// DNSNames, URIs, Serial, NotBefore and NotAfter describe the server's certificate; empty without one.
	DNSNames  []string  `json:"dnsNames,omitempty"`
	URIs      []string  `json:"uris,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	// Chain is the PEM of all certificates that the server sent.
	Chain string `json:"chain,omitempty"`
	// Error is the reason for the end of the connection; empty if the server accepted the client.
	Error string `json:"error,omitempty"`
}

// Stream is the report of a request for configuration to the control plane.
type Stream struct {
	// Code is the name of the gRPC status code, OK if configuration arrived.
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
	// Resources is the number of resources in the first response.
	Resources int `json:"resources"`
}

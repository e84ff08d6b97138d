package demo

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// Failures without a status code. A mesh denies requests in several ways, which the demo distinguishes.
const (
	// Refused means that the connection was refused. A sidecar does this if it has no destination to reach.
	Refused = "refused"
	// Reset means that the connection was cut before a response. A sidecar does this if it may not reach the service.
	Reset = "reset"
	// Timeout means that there was no response in time.
	Timeout = "timeout"
	// NoSuchHost means that the name does not resolve.
	NoSuchHost = "no-such-host"
	// Failed is any other failure.
	Failed = "failed"
)

// Outcome returns the status code of a request, such as "200" or "403", or the kind of its failure.
func Outcome(status int, err error) string {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return strconv.Itoa(status)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case isCut(err):
		return Reset
	case errors.As(err, &dns) && dns.IsNotFound:
		return NoSuchHost
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	default:
		return Failed
	}
}

// closedIdle is the text of an unexported error of net/http: the server closed the connection before the request was written.
const closedIdle = "http: server closed idle connection"

// isCut reports whether an established connection ended too early.
func isCut(err error) bool {
	for _, e := range []error{syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return strings.HasSuffix(err.Error(), closedIdle)
}

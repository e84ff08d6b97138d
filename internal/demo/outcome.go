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

// Kinds of failure that come without a status code. A mesh denies in several shapes, and the demo tells them apart.
const (
	// Refused: nobody accepts connections; with a sidecar, it has nothing it may reach.
	Refused = "refused"
	// Reset: the connection was cut before there was a response; with a sidecar, it may not reach this service.
	Reset = "reset"
	// Timeout: there was no response in time.
	Timeout = "timeout"
	// NoSuchHost: the name does not resolve.
	NoSuchHost = "no-such-host"
	// Failed is any other failure.
	Failed = "failed"
)

// Outcome names what became of a request: its status code, such as "200" or "403", or the kind of failure.
func Outcome(status int, err error) string {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return strconv.Itoa(status)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case cut(err):
		return Reset
	case errors.As(err, &dns) && dns.IsNotFound:
		return NoSuchHost
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	default:
		return Failed
	}
}

// closedIdle is how net/http words, without exporting the error, that the server closed before the request was written.
const closedIdle = "http: server closed idle connection"

// cut reports whether an established connection ended too early.
func cut(err error) bool {
	for _, e := range []error{syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	return strings.HasSuffix(err.Error(), closedIdle)
}

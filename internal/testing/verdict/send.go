package verdict

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// responseTimeout limits waiting for a response. Responses in the mesh are fast, so a missing one is a failure in any case.
const responseTimeout = 10 * time.Second

// clientDelay is how long a client of a server-first protocol waits before it sends data.
const clientDelay = 300 * time.Millisecond

// Observations other than a status code or the name of an application.
const (
	closed  = "closed"
	refused = "refused"
)

// send sends a request and returns the application's observation: "<pod>:<port>" of the application that responds, the status
// of a sidecar's response, closed, or refused.
func (n *Network) send(r Request) string {
	conn, err := n.dial(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return refused
	}
	if errors.Is(err, syscall.ECONNRESET) {
		return closed // the sidecar closed the listener before it accepted the connection
	}
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(responseTimeout)); err != nil {
		return err.Error()
	}
	switch r.protocol() {
	case catalog.ProtocolHTTP:
		return sendHTTP(conn, r)
	case catalog.ProtocolTCP:
		_, _ = io.WriteString(conn, "hello\n")
	case catalog.ProtocolTCPServerFirst:
		// A sidecar waits up to 15 seconds for the first bytes of a plaintext connection before it closes it.
		nudge := time.AfterFunc(clientDelay, func() { _, _ = io.WriteString(conn, "hello\n") })
		defer nudge.Stop()
	}
	return readLine(conn)
}

// dial connects. The kernel keeps the NAT decision of a failed connection for two minutes. If a sidecar tried to reach an
// unassigned address and the application gets the same source port, its connection is not redirected. Then dial retries with
// another port.
func (n *Network) dial(r Request) (conn net.Conn, err error) {
	const tries = 3
	for range tries {
		if r.From.IsValid() {
			return n.outside.NS.DialFrom(r.From, r.To.String())
		}
		conn, err = n.pods[r.Pod].NS.Dial(context.Background(), "tcp", r.To.String())
		if !errors.Is(err, syscall.ENETUNREACH) {
			break
		}
	}
	return conn, err
}

// readLine returns the first line of the response.
func readLine(conn net.Conn) string {
	text, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return describeEnd(err)
	}
	return strings.TrimSuffix(text, "\n")
}

// describeEnd returns how a connection ended before a response.
func describeEnd(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Sprintf("nothing in %s", responseTimeout)
	}
	return closed
}

// sendHTTP writes the request unchanged, because a library would normalize it.
func sendHTTP(conn net.Conn, r Request) string {
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\n", r.Method, r.Path)
	for _, h := range r.Headers {
		name := h.Name
		if name == ":authority" {
			name = "Host"
		}
		fmt.Fprintf(&head, "%s: %s\r\n", name, h.Value)
	}
	head.WriteString("Content-Length: 0\r\nConnection: close\r\n\r\n")
	_, _ = io.WriteString(conn, head.String())
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		return describeEnd(err)
	}
	defer answer.Body.Close()
	if pod := answer.Header.Get(podHeader); pod != "" && answer.StatusCode == http.StatusOK {
		return pod
	}
	return fmt.Sprint(answer.StatusCode)
}

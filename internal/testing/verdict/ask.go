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

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// patience is how long an application waits for an answer. Nothing in the mesh takes long, so an answer that does not come is
// a failure whatever was expected.
const patience = 10 * time.Second

// silence is how long a client whose server shall speak first says nothing.
const silence = 300 * time.Millisecond

// Observations that are not a status or the name of who answered.
const (
	closed  = "closed"
	refused = "refused"
)

// ask sends a request and says what the application sees: "<pod>:<port>" of the application that answers, the status of
// somebody else's answer, closed, or refused.
func (n *Network) ask(r Request) string {
	conn, err := n.dial(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return refused
	}
	if errors.Is(err, syscall.ECONNRESET) {
		return closed // the sidecar stopped listening before it took the connection
	}
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err.Error()
	}
	switch r.speaks() {
	case catalog.ProtocolHTTP:
		return askHTTP(conn, r)
	case catalog.ProtocolTCP:
		_, _ = io.WriteString(conn, "hello\n")
	case catalog.ProtocolTCPServerFirst:
		// A sidecar waits for the first bytes of a connection that comes without TLS, up to 15 seconds, before it closes it.
		nudge := time.AfterFunc(silence, func() { _, _ = io.WriteString(conn, "hello\n") })
		defer nudge.Stop()
	}
	return line(conn)
}

// dial connects. The kernel remembers for two minutes how it treated a connection that never came about: when a sidecar has tried
// to reach an address that does not exist, and the application happens to get the sidecar's port, its connection is not
// redirected. It is made again, with another port.
func (n *Network) dial(r Request) (conn net.Conn, err error) {
	const tries = 3
	for range tries {
		conn, err = n.pods[r.Pod].NS.Dial(context.Background(), "tcp", r.To.String())
		if !errors.Is(err, syscall.ENETUNREACH) {
			break
		}
	}
	return conn, err
}

// line is the first line of the answer.
func line(conn net.Conn) string {
	text, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return ended(err)
	}
	return strings.TrimSuffix(text, "\n")
}

// ended says how a connection came to its end before an answer.
func ended(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Sprintf("nothing in %s", patience)
	}
	return closed
}

// askHTTP writes the request as it is: a library would tidy it up.
func askHTTP(conn net.Conn, r Request) string {
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
		return ended(err)
	}
	defer answer.Body.Close()
	if pod := answer.Header.Get(podHeader); pod != "" && answer.StatusCode == http.StatusOK {
		return pod
	}
	return fmt.Sprint(answer.StatusCode)
}

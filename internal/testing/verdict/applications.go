package verdict

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	podstest "github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// podHeader is the response header with the name of the server.
const podHeader = "X-Pod"

// serveApplications runs the applications of a pod: two HTTP servers, a line echo, and a server that sends first.
func serveApplications(t *testing.T, pod *podstest.Pod, name string) {
	t.Helper()
	at := func(port uint16) string { return fmt.Sprintf("%s:%d", name, port) }
	for _, port := range []uint16{webPort, otherPort} {
		pod.ServeHTTP(t, port, nameOverHTTP(at(port)))
	}
	pod.ServeTCP(t, echoPort, nameAfterLine(at(echoPort)))
	pod.ServeTCP(t, greetsPort, nameAtOnce(at(greetsPort)))
}

// nameOverHTTP returns an HTTP server that responds with its name.
func nameOverHTTP(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(podHeader, name) })
}

// nameAfterLine returns a TCP server that responds to the first line with its name.
func nameAfterLine(name string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
			_, _ = fmt.Fprintln(conn, name)
		}
	}
}

// nameAtOnce returns a TCP server that sends its name first.
func nameAtOnce(name string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = fmt.Fprintln(conn, name)
		_, _ = io.Copy(io.Discard, conn)
	}
}

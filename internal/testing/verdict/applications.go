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

// podHeader is the response header with the name of the pod.
const podHeader = "X-Pod"

// serveApplications runs the applications of a pod: two HTTP servers, a line echo, and a server that sends first.
func serveApplications(t *testing.T, pod *podstest.Pod, name string) {
	t.Helper()
	for _, port := range []uint16{webPort, otherPort} {
		self := fmt.Sprintf("%s:%d", name, port)
		pod.ServeHTTP(t, port, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(podHeader, self) }))
	}
	pod.ServeTCP(t, echoPort, func(conn net.Conn) {
		if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
			_, _ = fmt.Fprintf(conn, "%s:%d\n", name, echoPort)
		}
	})
	pod.ServeTCP(t, greetsPort, func(conn net.Conn) {
		_, _ = fmt.Fprintf(conn, "%s:%d\n", name, greetsPort)
		_, _ = io.Copy(io.Discard, conn)
	})
}

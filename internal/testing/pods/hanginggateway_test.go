package pods_test

import (
	"crypto/tls"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// hangingGatewayLimit is the duration of a request to an egress gateway that does not answer: three tries to connect, 2 s each, and time for a
// busy machine.
const hangingGatewayLimit = 9 * time.Second

// TestEgressGatewayHangs sends through a gateway that accepts connections and never answers. Requests fail, and no connection stays open.
func TestEgressGatewayHangs(t *testing.T) {
	t.Parallel()
	o := newOutgoing(t)
	hanging := o.network.Bare(t)
	_ = hanging.NS.Listen(t, nstest.Address(hanging.IP.String(), names.EgressGatewayPort)) // nothing accepts
	o.send(t, []netip.Addr{hanging.IP}, plainPort, tlsPort)
	for what, test := range map[string]struct {
		port      uint16
		encrypted bool
	}{
		"request":        {plainPort, false},
		"TLS connection": {tlsPort, true},
	} {
		requireWithin(t, hangingGatewayLimit, "end of a "+what, func() bool {
			conn, err := o.client.Dial(t, nstest.Address(o.outside.IP.String(), test.port))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(2 * hangingGatewayLimit)); err != nil {
				t.Fatal(err)
			}
			if test.encrypted {
				err := tls.Client(conn, &tls.Config{ServerName: "api.example.com"}).HandshakeContext(t.Context())
				return err != nil && !isTimeout(err)
			}
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n")
			answer, err := io.ReadAll(conn)
			return err == nil && strings.HasPrefix(string(answer), "HTTP/1.1 503 ")
		})
	}
}

package ingest

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestExtensionServiceIsOutsideOfThePod checks that no form of a local address leads a sidecar to its own pod, where the admin interface is.
func TestExtensionServiceIsOutsideOfThePod(t *testing.T) {
	for _, host := range []string{
		"localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "::ffff:0.0.0.0",
	} {
		got, problems := ExtensionService(smi(t, "{port: 80, host: '"+host+"'}"))
		if got != nil || len(problems) != 1 || problems[0].Reason != ReasonInvalidName {
			t.Errorf("%s: the entry is %+v with the problems %+v, want none and an invalid name", host, got, problems)
		}
	}
	for _, host := range []string{"localhost.example.com", "mylocalhost", "192.0.2.1", "2001:db8::1"} {
		got, problems := ExtensionService(smi(t, "{port: 80, host: '"+host+"'}"))
		expect(t, &catalog.ExtensionService{Name: x, Address: host, Port: 80}, got, nil, problems)
	}
}

// TestServerPortRange checks the limits of the port of a server.
func TestServerPortRange(t *testing.T) {
	for port, want := range map[int64]bool{-1: false, 0: false, 1: true, 65535: true, 65536: false} {
		var found Problems
		if got := isPort("spec.port", port, "server", &found); got != want || (len(found) == 0) != want {
			t.Errorf("%d: %t with the problems %+v, want %t", port, got, found, want)
		}
	}
}

// TestExtensionService reads each field, and says why a server cannot be used.
func TestExtensionService(t *testing.T) {
	for text, c := range map[string]struct {
		spec     string
		want     *catalog.ExtensionService
		problems []string
	}{
		"gRPC":           {`{host: Otel.logs.svc., port: 4317, protocol: h2c, connectTimeout: 1s}`, &catalog.ExtensionService{Name: x, Address: "otel.logs.svc", Port: 4317, ConnectTimeout: 1e9}, nil},
		"HTTP/1.1":       {`{host: 192.0.2.1, port: 80, protocol: http}`, &catalog.ExtensionService{Name: x, Address: "192.0.2.1", Port: 80, HTTP1: true}, nil},
		"the sidecar":    {`{host: 127.0.0.1, port: 80}`, nil, []string{"InvalidName: is the pod of each sidecar"}},
		"IPv6 loopback":  {`{host: "::ffff:127.0.0.1", port: 80}`, nil, []string{"InvalidName: is the pod of each sidecar"}},
		"a reserved one": {`{host: a.example.com, port: 15000}`, nil, []string{"InvalidPort: belongs to sidecars"}},
		"no port":        {`{host: a.example.com}`, nil, []string{"InvalidPort: spec.port is 0"}},
		"no host":        {`{port: 80}`, nil, []string{"InvalidName: spec.host"}},
		"TLS":            {`{host: a.example.com, port: 443, protocol: https}`, nil, []string{"UnknownProtocol: write h2c or grpc"}},
	} {
		t.Run(text, func(t *testing.T) {
			got, problems := ExtensionService(smi(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

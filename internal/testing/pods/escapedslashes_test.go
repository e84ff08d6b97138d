package pods_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// pathCase is a path, and the status of a request with it.
type pathCase struct {
	path   string
	status int
}

// TestThreat15DecodedSlashes checks a Service that decodes escaped slashes: policies decide about the decoded path, the application receives the path as it was
// sent, and what could be read as another path than the policy's stays rejected. The client may GET /books/.* and /v1/a/b; /admin is granted to another client.
func TestThreat15DecodedSlashes(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	server := s.serverScope()
	server.Inbound[0].DecodeSlashes = true
	server.Inbound[0].Rules.Routes = append(server.Inbound[0].Rules.Routes,
		authz.Route{Match: catalog.HTTPMatch{PathRegex: "/v1/[a-z]/b"}, Sources: []identity.ServiceAccount{buyer}})
	s.configure(t, s.clientScope(), server)
	for _, test := range []pathCase{
		{"/books/%2F/jobs", 200},
		{"/books/a%5Cb%2fc?q=%2F", 200},
		{"/books%2F1", 200},
		{"/v1/a%2Fb", 200},
		{"/v1%5Ca/%2Fb", 200},
		{"/books/1", 200},
		{"/v1/a%2Fb%2Fc", 404},
		{"/v1%2Fab", 404},
		{"/%2Fadmin", 403},
		{"/admin%2F", 404},
		{"/books/..%2Fadmin", 400},
		{"/books/%2e%2e%5cadmin", 400},
		{"/admin/x%2F..%2F..%2Fbooks/1", 400},
		{"/books%2F..;x/admin", 400},
		{"/books/%00", 400},
		{"/books/a%2F.", 400},
	} {
		for _, forged := range []string{"x-other: 1", "x-osm-path: /books/1"} {
			got := s.client.Get(t, "http://10.96.0.1"+test.path, forged)
			if got.Status != test.status {
				t.Errorf("GET %s with %s is answered with %d %q, want %d", test.path, forged, got.Status, got.Body, test.status)
			}
			if got.Header.Get("Saw-X-Osm-Path") != "" {
				t.Errorf("the application receives x-osm-path %q", got.Header.Get("Saw-X-Osm-Path"))
			}
		}
	}
}

// TestEscapedSlashesArriveAsSent checks the paths that applications receive, behind the mesh and behind an IngressBackend.
func TestEscapedSlashesArriveAsSent(t *testing.T) {
	t.Parallel()
	e := newEntrances(t)
	e.configure(t, func(s *scope.Scope) {
		for i := range s.Inbound {
			s.Inbound[i].DecodeSlashes = true
		}
		for i := range s.Ingress {
			s.Ingress[i].DecodeSlashes, s.Ingress[i].AnyRequest = true, false
			s.Ingress[i].Matches = []catalog.HTTPMatch{{PathRegex: "/api/(queues|x)/jobs.*"}}
		}
		if s.IngressGateway != nil {
			host := &s.IngressGateway.Listeners[0].Hosts[0]
			all := host.Routes[0]
			api := all
			api.Match.Path, api.DecodeSlashes = "/api", true
			host.Routes = []scope.HTTPRoute{api, all}
		}
	})
	e.throughGateway(t)
	const path = "/api/queues/%2F/jobs%5Cx?q=%2F"
	for name, url := range map[string]string{"mesh": "http://" + webIP.String() + path, "ingress": "http://" + e.server.IP.String() + ":8080" + path} {
		from := e.client
		if name == "ingress" {
			from = e.stranger
			if got := from.Get(t, "http://"+e.server.IP.String()+":8080/api%2Fother"); got.Status != http.StatusNotFound {
				t.Errorf("a path that the IngressBackend does not match is answered with %d, want 404", got.Status)
			}
		}
		if got := from.Get(t, url); got.Status != http.StatusOK || !strings.Contains(got.Body, path+" with") {
			t.Errorf("%s: %d %q, want the path as it was sent", name, got.Status, got.Body)
		}
	}
}

// throughGateway checks a host of an ingress gateway with two routes: the Service of /api decodes escaped slashes, and that of all other paths does not.
func (e *entrances) throughGateway(t *testing.T) {
	t.Helper()
	for _, test := range []pathCase{
		{"/api/queues/%2F/jobs", 200},
		{"/api/a%5Cb?q=%2F", 200},
		{"/other?q=%2F", 200},
		{"/apix", 200},
		{"/other/%2F", 400},
		{"/api%2Fqueues", 400},
		{"/api/..%2Fother", 400},
		{"/api/x%2F../other", 400},
		{"/%2Fapi/x", 400},
	} {
		got := e.stranger.Get(t, "http://"+nstest.Address(e.gateway.IP.String(), gatewayBind)+test.path)
		if got.Status != test.status || test.status == http.StatusOK && !strings.Contains(got.Body, test.path+" with") {
			t.Errorf("%s through the gateway: %d %q, want %d", test.path, got.Status, got.Body, test.status)
		}
	}
}

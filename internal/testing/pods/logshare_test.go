package pods_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestAccessLogShare checks that a share of the requests is logged, by the sidecars of both sides or by none, and that those that fail or are slow always are.
func TestAccessLogShare(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	busy := s.network.Pod(t, "busy")
	busy.ServeHTTP(t, 8081, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			time.Sleep(1100 * time.Millisecond)
		case "/fails":
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	server, client := s.serverScope(), leafClient(s)
	server.UnloggedRequests, client.UnloggedRequests = 700_000, 700_000
	busy.Configure(t, server)
	s.client.Configure(t, client, endpointsAt(client, busy.IP)...)
	const requests = 200
	paths := slices.Concat([]string{"/slow", "/fails"}, slices.Repeat([]string{"/"}, requests))
	for _, path := range paths {
		s.client.Call(t, http.MethodPost, "http://10.96.0.9"+path)
	}
	s.client.Call(t, http.MethodPost, "http://10.96.0.9/fails")
	eventually.True(t, 20*time.Second, "the last request is in both logs", func() bool {
		return len(s.loggedRequests(t, "client")["/fails"]) == 2 && len(s.loggedRequests(t, "busy")["/fails"]) == 2
	})
	sent, received := s.loggedRequests(t, "client"), s.loggedRequests(t, "busy")
	for _, path := range []string{"/", "/slow", "/fails"} {
		if !maps.Equal(sent[path], received[path]) {
			t.Errorf("the client's sidecar logs the requests %v to %s, and the server's %v", sent[path], path, received[path])
		}
	}
	if n := len(sent["/"]); n < requests/10 || n > requests/2 {
		t.Errorf("%d of %d requests are logged, want about 30%%", n, requests)
	}
	if len(sent["/slow"]) != 1 {
		t.Errorf("%d slow requests are logged, want 1", len(sent["/slow"]))
	}
}

// TestAccessLogShareIsByIdentifier checks that the sidecars log the requests that tap.Share selects, and no others.
func TestAccessLogShareIsByIdentifier(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	server, client := s.serverScope(), leafClient(s)
	server.UnloggedRequests, client.UnloggedRequests = 700_000, 700_000
	s.server.Configure(t, server)
	s.client.Configure(t, client, endpointsAt(client, s.server.IP)...)
	const share = tap.AllRequests - 700_000
	want := map[string]bool{}
	for i := range 200 {
		id := uuid.NewString()
		if i%2 == 1 {
			id = strings.ReplaceAll(id, "-", "") // like identifiers of traces
		}
		s.client.Call(t, http.MethodPost, "http://10.96.0.9/", "x-request-id: "+id)
		if selected, _ := share.Selects(id); selected {
			want[id] = true
		}
	}
	s.client.Call(t, http.MethodPost, "http://10.96.0.9/last", "x-request-id: 00000000"+uuid.NewString()[8:])
	eventually.True(t, 20*time.Second, "the last request is in both logs", func() bool {
		return len(s.loggedRequests(t, "client")["/last"]) == 1 && len(s.loggedRequests(t, "server")["/last"]) == 1
	})
	for _, pod := range []string{"client", "server"} {
		if logged := s.loggedRequests(t, pod)["/"]; !maps.Equal(logged, want) {
			t.Errorf("the sidecar of %s logs the requests %v, want %v", pod, logged, want)
		}
	}
}

// TestTappedSidecarLogsEveryRequest checks that a sidecar logs all requests while it is tapped, that its listeners stay as they are, and that no client
// can bring that about at a server.
func TestTappedSidecarLogsEveryRequest(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	server, client := s.serverScope(), leafClient(s)
	server.UnloggedRequests, client.UnloggedRequests = 1_000_000, 1_000_000
	s.server.Configure(t, server)
	s.client.Configure(t, client, endpointsAt(client, s.server.IP)...)
	send := func(path string, headers ...string) {
		for range 20 {
			if got := s.client.Call(t, http.MethodPost, "http://10.96.0.9"+path, headers...); got.Status != http.StatusOK {
				t.Fatalf("the status of %s is %d: %s", path, got.Status, got.Body)
			}
		}
	}
	changes := func() string {
		return s.client.Admin(t, "/stats?filter=listener_manager.listener_(modified|in_place_updated)")
	}
	send("/forged", "x-osm-tap: 1")
	before := changes()
	tapped := *client
	tapped.MarksRequests = true
	s.client.Configure(t, &tapped, endpointsAt(&tapped, s.server.IP)...)
	send("/tapped")
	if after := changes(); after != before {
		t.Errorf("a tap changes listeners: %s, before: %s", after, before)
	}
	eventually.True(t, 20*time.Second, "all requests are in the log of the sidecar", func() bool { return len(s.loggedRequests(t, "client")["/tapped"]) == 20 })
	if n := len(s.loggedRequests(t, "server")["/forged"]); n > 0 {
		t.Errorf("a server logs %d requests because a client says so", n)
	}
	if n := len(s.loggedRequests(t, "server")["/tapped"]); n > 0 {
		t.Errorf("a sidecar that is not tapped logs %d requests", n)
	}
	own := *server
	own.MarksRequests = true
	s.server.Configure(t, &own)
	send("/received")
	eventually.True(t, 20*time.Second, "all requests are in the log of the server's sidecar", func() bool { return len(s.loggedRequests(t, "server")["/received"]) == 20 })
}

// loggedRequests returns the identifiers of the requests that a sidecar has logged, by their paths.
func (s *shop) loggedRequests(t *testing.T, pod string) map[string]map[string]bool {
	t.Helper()
	logged := map[string]map[string]bool{}
	for _, line := range s.logLines(t, pod) {
		var fields struct {
			Path string `json:"path"`
			ID   string `json:"request_id"`
		}
		if json.Unmarshal([]byte(line), &fields) != nil || fields.ID == "" {
			continue
		}
		if logged[fields.Path] == nil {
			logged[fields.Path] = map[string]bool{}
		}
		logged[fields.Path][fields.ID] = true
	}
	return logged
}

package page_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

func TestGraph(t *testing.T) {
	load := func(client, cluster string, rate float64, succeeded, failed uint64) report.Load {
		return report.Load{Client: client, Cluster: cluster, Rate: rate, LoadCounts: report.LoadCounts{Issued: uint64(60 * rate), Succeeded: succeeded, Failed: failed}}
	}
	loads := []report.Load{
		load("shop/buyer", "shop/web|80", 10, 8, 1), load("shop/buyer", "shop/web|80|pods", 2, 1, 0), load("shop/buyer", "shop/db|5432", 1, 0, 0),
		load("shop/web", "api.example.com_443", 2, 4, 0), load("shop/web", "shop/idle|80", 0, 0, 0),
	}
	// Those of the sidecar itself.
	for _, cluster := range []string{"shop/web|8080|local", "liveness_cluster", "readiness_cluster_web", "ready_cluster", "osm-controller", "envoy-metrics-cluster", "envoy-tracing-cluster", "ratelimit|a:80"} {
		loads = append(loads, load("shop/web", cluster, 3, 3, 0))
	}
	nodes, edges := page.Graph(page.Traffic{
		Loads: loads, Backing: page.Backing{"shop/web": {"shop/web"}, "shop/unused": {"shop/web"}},
		Sidecars: []page.Sidecar{{Namespace: "shop", ServiceAccount: "web"}, {Namespace: "shop", ServiceAccount: "web"}, {Namespace: "shop", ServiceAccount: "idle"}},
	})
	share := func(v float64) *float64 { return &v }
	if diff := cmp.Diff([]page.Node{
		{ID: "outside:api.example.com:443", Kind: page.Outside, Name: "api.example.com:443"},
		{ID: "service:shop/db", Kind: page.Service, Name: "shop/db"},
		{ID: "service:shop/web", Kind: page.Service, Name: "shop/web"},
		{ID: "workload:shop/buyer", Kind: page.Workload, Name: "shop/buyer"},
		{ID: "workload:shop/idle", Kind: page.Workload, Name: "shop/idle", Sidecars: 1},
		{ID: "workload:shop/web", Kind: page.Workload, Name: "shop/web", Sidecars: 2},
	}, nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]page.Edge{
		{From: "service:shop/web", To: "workload:shop/web", Backs: true, MTLS: true},
		{From: "workload:shop/buyer", To: "service:shop/db", Port: "5432", MTLS: true, Rate: 1},
		{From: "workload:shop/buyer", To: "service:shop/web", Port: "80", MTLS: true, Rate: 12, Success: share(0.9)},
		{From: "workload:shop/web", To: "outside:api.example.com:443", Rate: 2, Success: share(1)},
	}, edges); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

// With policies, an allowed destination without traffic is an edge.
func TestGraphWithIdleDestinations(t *testing.T) {
	_, edges := page.Graph(page.Traffic{Loads: []report.Load{{Client: "shop/web", Cluster: "shop/db|5432"}}, Idle: true})
	if diff := cmp.Diff([]page.Edge{{From: "workload:shop/web", To: "service:shop/db", Port: "5432", MTLS: true}}, edges); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

// page serves a state and counts reads.
func serve(t *testing.T, read func(context.Context) (*page.State, error), now func() time.Time) *httptest.Server {
	t.Helper()
	h, err := page.New(page.Source{Read: read, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

// get returns the status, the headers and the body of an answer.
func get(t *testing.T, url, host string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		request.Host = host
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, body.String()
}

func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	server := serve(t, nil, time.Now)
	for _, path := range []string{"/", "/style.css", "/app.js", "/graph.js", "/layout.js", "/requests.js"} {
		code, header, body := get(t, server.URL+path, "")
		if code != http.StatusOK || !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'self';") {
			t.Errorf("%s: %d with the headers %v", path, code, header)
		}
		for _, text := range []string{"//cdn", "https://", "innerHTML", "eval("} {
			if strings.Contains(body, text) {
				t.Errorf("%s contains %q", path, text)
			}
		}
	}
}

func TestOtherNamesAreRejected(t *testing.T) {
	server := serve(t, func(context.Context) (*page.State, error) { return &page.State{}, nil }, time.Now)
	for host, want := range map[string]int{
		"": http.StatusOK, "localhost:3000": http.StatusOK, "[::1]:3000": http.StatusOK,
		"evil.example:3000": http.StatusMisdirectedRequest, "evil.example": http.StatusMisdirectedRequest, "10.0.0.1:80": http.StatusMisdirectedRequest,
	} {
		if code, _, _ := get(t, server.URL+"/state", host); code != want {
			t.Errorf("Host %q: %d, want %d", host, code, want)
		}
	}
}

func TestStateIsReadOnceInTwoSeconds(t *testing.T) {
	reads, now := 0, time.Unix(100, 0)
	server := serve(t, func(context.Context) (*page.State, error) {
		reads++
		return &page.State{Mesh: page.Mesh{Name: "osm"}}, nil
	}, func() time.Time { return now })
	for range 3 {
		_, _, body := get(t, server.URL+"/state", "")
		var state page.State
		if err := json.Unmarshal([]byte(body), &state); err != nil || state.Mesh.Name != "osm" {
			t.Fatalf("%v: %s", err, body)
		}
	}
	now = now.Add(2 * time.Second)
	get(t, server.URL+"/state", "")
	if reads != 2 {
		t.Errorf("%d reads, want 2", reads)
	}
}

func TestErrorsReachThePage(t *testing.T) {
	server := serve(t, func(context.Context) (*page.State, error) { return nil, errors.New("the mesh is gone") }, time.Now)
	if code, _, body := get(t, server.URL+"/state", ""); code != http.StatusBadGateway || !strings.Contains(body, "the mesh is gone") {
		t.Errorf("%d %s", code, body)
	}
}

func TestNothingCanBeWritten(t *testing.T) {
	server := serve(t, func(context.Context) (*page.State, error) { return &page.State{}, nil }, time.Now)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/state", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s", method, answer.Status)
		}
	}
}

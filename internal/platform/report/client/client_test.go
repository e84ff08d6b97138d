package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// serve runs a replica whose certificate comes from an authority, and counts requests.
func serve(t *testing.T, authority *pki.Authority, documents map[string]any) (address string, requests *atomic.Int32) {
	t.Helper()
	requests = &atomic.Int32{}
	// The account report in the namespace mesh has the principal of the report server of the trust domain mesh.test.
	chain, key := authority.Issue(t, identity.ServiceAccount{Namespace: "mesh", Name: "report"}, "test")
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		document, ok := documents[r.URL.Path]
		switch {
		case r.Header.Get("Authorization") != "Bearer token":
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(report.Error{Error: "who are you"})
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		default:
			_ = json.NewEncoder(w).Encode(document)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- server.Serve(ctx, server.Config{
			Listener: listener, Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }, Handler: handler, OnClosed: func() {},
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String(), requests
}

func newClient(authority *pki.Authority, token string, replicas ...Replica) *Client {
	return New(Config{
		Replicas:    func(context.Context) ([]Replica, error) { return replicas, nil },
		Token:       func(context.Context) (string, error) { return token, nil },
		Roots:       func() ([]byte, error) { return authority.RootPEM, nil },
		TrustDomain: "mesh.test",
	})
}

func proxies(revision string, n int) report.Proxies {
	var p report.Proxies
	for range n {
		p.Proxies = append(p.Proxies, report.Proxy{Revision: revision})
	}
	return p
}

// TestUnreachableIsUnknown asks four replicas: two that answer, one that nobody can reach, and one that only pretends to be one.
func TestUnreachableIsUnknown(t *testing.T) {
	ours, theirs := pki.New(t), pki.New(t)
	one, _ := serve(t, ours, map[string]any{report.ProxiesPath: proxies("blue", 2)})
	two, _ := serve(t, ours, map[string]any{report.ProxiesPath: proxies("green", 1)})
	pretender, asked := serve(t, theirs, map[string]any{report.ProxiesPath: proxies("blue", 100)})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	c := newClient(ours, "token", Replica{Name: "one", Address: one}, Replica{Name: "two", Address: two}, Replica{Name: "gone", Address: closed.Addr().String()}, Replica{Name: "pretender", Address: pretender}, Replica{Name: "new", Address: ""})
	answers, err := c.Proxies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := podSum{
		Counts:     report.Counts{Connected: 3, UpToDate: 3},
		ByRevision: map[string]report.Counts{"blue": {Connected: 2, UpToDate: 2}, "green": {Connected: 1, UpToDate: 1}},
		Unknown:    []string{"gone", "pretender", "new"},
	}
	if diff := cmp.Diff(want, totalOf(answers)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if asked.Load() != 0 {
		t.Error("a server with another certificate was sent the token")
	}
	if !strings.Contains(answers[2].Err.Error(), "connect to replica gone") {
		t.Errorf("the reason is %v", answers[2].Err)
	}
}

func TestRejectionIsUnknown(t *testing.T) {
	ours := pki.New(t)
	one, _ := serve(t, ours, nil)
	answers, err := newClient(ours, "wrong", Replica{Name: "one", Address: one}).Proxies(t.Context())
	if err != nil || answers[0].Err == nil || !strings.Contains(answers[0].Err.Error(), "who are you") {
		t.Errorf("got %v, %v", answers, err)
	}
	if _, err := newClient(ours, "token").Rejections(t.Context()); !errors.Is(err, ErrNoReplicas) {
		t.Errorf("without replicas: %v", err)
	}
}

// TestUnauthorizedTokenIsReported checks that a token is reported if a replica answers 401, and only then.
func TestUnauthorizedTokenIsReported(t *testing.T) {
	ours := pki.New(t)
	one, _ := serve(t, ours, map[string]any{report.ProxiesPath: proxies("blue", 1)})
	for token, want := range map[string]string{"wrong": "wrong", "token": ""} {
		c := newClient(ours, token, Replica{Name: "one", Address: one})
		got := ""
		c.config.Unauthorized = func(token string) { got += token }
		if _, err := c.Proxies(t.Context()); err != nil || got != want {
			t.Errorf("with the token %s: %q is reported, want %q (%v)", token, got, want, err)
		}
		if _, err := c.Loads(t.Context()); err != nil || got != want+want {
			t.Errorf("with the token %s, for another path: %q is reported, want %q (%v)", token, got, want+want, err)
		}
	}
}

func TestObject(t *testing.T) {
	early, late := time.Unix(1_800_000_000, 0).UTC(), time.Unix(1_800_000_060, 0).UTC()
	path := report.ObjectsPath + "TrafficTarget/a/t"
	done := func(n int, at time.Time) map[string]any {
		return map[string]any{path: report.Object{Sidecars: n, Acknowledged: n, RespondedAt: &at}}
	}
	generation := func(n int64, documents map[string]any) map[string]any {
		object := documents[path].(report.Object)
		object.Generation = n
		documents[path] = object
		return documents
	}
	tests := []struct {
		name     string
		replicas []map[string]any
		// dead adds a replica that cannot be reached.
		dead bool
		want ObjectSum
		err  error
	}{
		{"all have it", []map[string]any{done(2, early), done(1, late)}, false, ObjectSum{Sidecars: 3, Acknowledged: 3, RespondedAt: late}, nil},
		{
			"one lacks it",
			[]map[string]any{done(2, early), {path: report.Object{Sidecars: 1, Laggards: []string{"a/p"}}}},
			false,
			ObjectSum{Sidecars: 3, Acknowledged: 2, Laggards: []string{"a/p"}},
			nil,
		},
		{
			"a sidecar came later and lacks it",
			[]map[string]any{{path: report.Object{Sidecars: 2, Acknowledged: 1, RespondedAt: &early}}},
			false,
			ObjectSum{Sidecars: 2, Acknowledged: 1},
			nil,
		},
		{"one is not reached", []map[string]any{done(2, early)}, true, ObjectSum{Sidecars: 2, Acknowledged: 2, Unknown: []string{"dead"}}, nil},
		{"one does not know it yet", []map[string]any{done(2, early), {}}, false, ObjectSum{Sidecars: 2, Acknowledged: 2, Unknown: []string{"b"}}, nil},
		{
			"one speaks of an older version",
			[]map[string]any{generation(2, done(2, early)), generation(1, done(1, late))},
			false,
			ObjectSum{Sidecars: 2, Acknowledged: 2, Outdated: []string{"b"}},
			nil,
		},
		{
			"all speak of this version",
			[]map[string]any{generation(2, done(2, early)), generation(2, done(1, late))},
			false,
			ObjectSum{Sidecars: 3, Acknowledged: 3, RespondedAt: late},
			nil,
		},
		{"nobody knows it", []map[string]any{{}, {}}, false, ObjectSum{Unknown: []string{"a", "b"}}, ErrNotFound},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ours := pki.New(t)
			var replicas []Replica
			for i, documents := range test.replicas {
				address, _ := serve(t, ours, documents)
				replicas = append(replicas, Replica{Name: string(rune('a' + i)), Address: address})
			}
			if test.dead {
				replicas = append(replicas, Replica{Name: "dead"})
			}
			answers, err := newClient(ours, "token", replicas...).Object(t.Context(), "TrafficTarget", "a", "t")
			if err != nil {
				t.Fatal(err)
			}
			got, err := Combine(answers, 2)
			if diff := cmp.Diff(test.want, got); diff != "" || !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v; -want +got:\n%s", err, test.err, diff)
			}
		})
	}
}

func TestPods(t *testing.T) {
	pod := func(name, app string, phase corev1.PodPhase, ip string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "mesh", Name: name, Labels: map[string]string{"app": app}}}
		p.Status.Phase = phase
		if ip != "" {
			p.Status.PodIPs = []corev1.PodIP{{IP: ip}}
		}
		return p
	}
	reader := fake.NewClientBuilder().WithObjects(
		pod("b", "osm-controller", corev1.PodRunning, "fd00::1"), pod("a", "osm-controller", corev1.PodRunning, "10.0.0.1"),
		pod("c", "osm-controller", corev1.PodSucceeded, "10.0.0.2"), pod("d", "osm-injector", corev1.PodRunning, "10.0.0.3"),
	).Build()
	got, err := Pods(reader, "mesh")(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Replica{{Name: "a", Address: "10.0.0.1:9094"}, {Name: "b", Address: "[fd00::1]:9094"}}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	others, err := PodsExcept("a", reader, "mesh")(t.Context())
	if diff := cmp.Diff(got[1:], others); err != nil || diff != "" {
		t.Errorf("the replicas except a: %v, -want +got:\n%s", err, diff)
	}
}

// podSum counts the sidecars of a mesh.
type podSum struct {
	// Counts only includes replicas that responded.
	Counts report.Counts
	// ByRevision has the counts by MeshRevision.
	ByRevision map[string]report.Counts
	// Unknown are the replicas that did not respond. If there are any, Counts are incomplete.
	Unknown []string
}

// totalOf adds the sidecars of all replicas. A pod counts once.
func totalOf(answers []Answer[report.Proxies]) podSum {
	sum := podSum{ByRevision: map[string]report.Counts{}}
	var proxies []report.Proxy
	for _, answer := range answers {
		if answer.Err != nil {
			sum.Unknown = append(sum.Unknown, answer.Replica)
			continue
		}
		proxies = append(proxies, answer.Value.Proxies...)
	}
	for _, pod := range report.Pods(proxies) {
		one, revision := report.CountPod(pod), pod[0].Revision
		sum.Counts = sum.Counts.Plus(one)
		sum.ByRevision[revision] = sum.ByRevision[revision].Plus(one)
	}
	return sum
}

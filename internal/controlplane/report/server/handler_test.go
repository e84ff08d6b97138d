package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// cluster is an API server that knows all tokens but "what", and lets the user "reader" and service accounts read.
type cluster struct {
	reviews int
	down    bool
	asked   []authorizationv1.NonResourceAttributes
}

func (c *cluster) access(now func() time.Time) *Access {
	clients := fake.NewClientset()
	clients.PrependReactor("create", "tokenreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		c.reviews++
		if c.down {
			return true, nil, errors.New("connection refused")
		}
		review := action.(clienttesting.CreateAction).GetObject().(*authenticationv1.TokenReview)
		// The token "... for AUDIENCE" has that audience, and others that of the API server.
		user, audience, bound := strings.Cut(review.Spec.Token, " for ")
		if !bound {
			audience = "api"
		}
		desired := review.Spec.Audiences
		if len(desired) == 0 {
			desired = []string{"api"}
		}
		review.Status.Authenticated = user != "what" && slices.Contains(desired, audience)
		if review.Status.Authenticated {
			review.Status.User.Username, review.Status.Audiences = user, []string{audience}
		}
		return true, review, nil
	})
	clients.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview)
		c.asked = append(c.asked, *review.Spec.NonResourceAttributes)
		review.Status.Allowed = review.Spec.User == "reader" || strings.HasPrefix(review.Spec.User, "system:serviceaccount:")
		return true, review, nil
	})
	return NewAccess(AccessConfig{Mesh: "osm", Unknown: clients, Known: clients, Now: now})
}

// store is what a test lets the server report.
type store struct {
	ready      bool
	proxies    []status.Proxy
	rejections []quarantine.Rejection
	limited    []status.LimitedPolicy
	traces     []status.Trace
	trust      status.Trust
}

// issuer is the generation of the root.
type issuer string

// Generation returns the generation.
func (i issuer) Generation() string { return string(i) }

// Failure returns a failure if the generation is "failing".
func (i issuer) Failure() *certificate.Failure {
	if i != "failing" {
		return nil
	}
	return &certificate.Failure{Since: moment, Err: errors.New("the issuer is sealed")}
}

func (s store) IsReady() bool                                { return s.ready }
func (s store) Proxies() []status.Proxy                      { return s.proxies }
func (s store) CompleteEpochs() map[entity.InstanceID]uint64 { return nil }
func (s store) Trust() status.Trust                          { return s.trust }
func (s store) Rejections() []quarantine.Rejection           { return s.rejections }
func (s store) LimitedPolicies() []status.LimitedPolicy      { return s.limited }
func (s store) Traces() []status.Trace                       { return s.traces }

func (s store) View(_ context.Context, f func(*catalog.View)) error {
	mesh := catalog.New()
	mesh.Apply([]catalog.Change{catalog.Set(&catalog.ServiceAccount{Name: entity.Name{Namespace: "shop", Name: "thief"}, UID: "1"})})
	f(mesh.View())
	return nil
}

func (s store) Policy(_ context.Context, policy entity.Ref) (status.Policy, error) {
	if policy.Name.Name != "known" {
		return status.Policy{}, status.ErrUnknownPolicy
	}
	return status.Policy{
		Policy: policy, Generation: 7, ChangedAt: moment, Proxies: 3, Acknowledged: 1, Rejected: 1, Pending: []entity.Name{{Namespace: "a", Name: "p"}},
	}, nil
}

var moment = time.Unix(1_800_000_000, 0).UTC()

func get(handler http.Handler, path, authorization string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestOnlyTokensForTheReportMayRead(t *testing.T) {
	tests := []struct {
		name, authorization string
		down, unready       bool
		code                int
		says                string
	}{
		{"the reader", "Bearer reader for report.osm", false, false, 200, "counts"},
		{"any case of the scheme", "bearer reader for report.osm", false, false, 200, "counts"},
		{"nobody", "", false, false, 401, "send a bearer token"},
		{"basic", "Basic cmVhZGVy", false, false, 401, "send a bearer token"},
		{"an unknown token", "Bearer what", false, false, 401, "invalid token"},
		{"somebody else", "Bearer stranger for report.osm", false, false, 403, "non-resource URL /report/v1"},
		{"an oversized token", "Bearer " + strings.Repeat("x", maxToken+1), false, false, 401, "send a bearer token"},
		{"a token for the API server", "Bearer reader", false, false, 401, "needs the audience"},
		{"a token for another mesh", "Bearer reader for report.other", false, false, 401, "needs the audience"},
		{"a replica with a token for the API server", "Bearer system:serviceaccount:osm-system:osm-controller", false, false, 401, "needs the audience"},
		{"another account for the API server", "Bearer system:serviceaccount:osm-system:osm-injector", false, false, 401, "needs the audience"},
		{"no API server", "Bearer reader for report.osm", true, false, 503, "authorize the request with the API server"},
		{"a replica that has just started", "Bearer reader for report.osm", false, true, 503, "has not yet read the whole mesh"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := &cluster{down: test.down}
			got := get(Handler(store{ready: !test.unready}, nil, nil, issuer(""), noPeers{}, c.access(time.Now)), report.ProxiesPath, test.authorization)
			if got.Code != test.code || !strings.Contains(got.Body.String(), test.says) {
				t.Errorf("got %d %s, want %d and %q", got.Code, got.Body, test.code, test.says)
			}
			for _, asked := range c.asked {
				if asked.Path != "/report/v1" || asked.Verb != "get" {
					t.Errorf("asked for %+v", asked)
				}
			}
		})
	}
}

// TestAnswersAreRemembered counts what the API server is asked.
func TestAnswersAreRemembered(t *testing.T) {
	now := moment
	c := &cluster{}
	handler := Handler(store{ready: true}, nil, nil, issuer(""), noPeers{}, c.access(func() time.Time { return now }))
	for range 3 {
		get(handler, report.ProxiesPath, "Bearer reader for report.osm")
		get(handler, report.ProxiesPath, "Bearer what")
	}
	if c.reviews != 2 {
		t.Errorf("the API server was asked %d times about two tokens", c.reviews)
	}
	now = now.Add(decisionTTL + time.Second)
	if got := get(handler, report.ProxiesPath, "Bearer reader for report.osm"); got.Code != 200 || c.reviews != 3 {
		t.Errorf("later: %d, asked %d times", got.Code, c.reviews)
	}
}

func TestDocuments(t *testing.T) {
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := store{
		ready: true,
		proxies: []status.Proxy{
			sidecar("behind", status.TypeStatus{Sent: 2, Acknowledged: 1, PendingSince: moment}),
			sidecar("fine", status.TypeStatus{Sent: 1, Acknowledged: 1}),
			sidecar("rejecting", status.TypeStatus{Sent: 1, Rejected: 1, Rejection: "no", PendingSince: moment}),
		},
		traces: []status.Trace{
			{
				Number: 2, StartedAt: moment, Total: 4, Streams: 1, Open: 1, Pending: []entity.Name{{Namespace: "a", Name: "p"}},
				Objects: []status.TracedObject{{Ref: policy, Generation: 3, Removed: true}},
				Stages:  map[status.Stage]time.Duration{status.StagePush: 250 * time.Millisecond},
			},
			{Number: 1, StartedAt: moment, Streams: 1, Acknowledged: 1, Duration: 750 * time.Millisecond},
		},
		trust: status.Trust{Bundle: root.CertPEM(), Since: moment},
		rejections: []quarantine.Rejection{{
			Policy: policy,
			Scope:  key, Proxy: entity.Name{Namespace: "a", Name: "p"}, Type: resourcetype.Routes, Resource: "r", Message: "no", At: moment,
		}},
		limited: []status.LimitedPolicy{{Policy: policy, ServiceAccounts: []identity.ServiceAccount{{Namespace: "a", Name: "sa"}}, More: 2}},
	}
	handler := Handler(s, reported, nothingDenied(), issuer("g1"), noPeers{}, (&cluster{}).access(time.Now))
	t.Run("proxies", func(t *testing.T) {
		var got report.Proxies
		read(t, handler, report.ProxiesPath, &got)
		want := report.Counts{Connected: 3, UpToDate: 1, Behind: 1, Rejecting: 1}
		if diff := cmp.Diff(want, got.Counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
		first := report.Proxy{
			Namespace: "a", Pod: "behind", UID: "uid of behind", ServiceAccount: "sa", Revision: "osm", OnDemand: true, Connected: moment, CertificateEnd: &moment, CertificateIssuer: "g0",
			Destinations: &report.Destinations{Loaded: 3, Unknown: 2, Forgotten: 1},
			Types:        map[string]report.Type{"RDS": {Version: "v", Sent: 2, Accepted: 1, Behind: &moment}},
		}
		if diff := cmp.Diff(first, got.Proxies[0]); diff != "" {
			t.Errorf("the first (-want +got):\n%s", diff)
		}
		trusted, err := certificate.Fingerprints(s.trust.Bundle)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&report.Authority{Issuer: "g1", Trusted: trusted, Since: moment}, got.Authority); diff != "" {
			t.Errorf("the authority (-want +got):\n%s", diff)
		}
	})
	t.Run("certificates are not issued", func(t *testing.T) {
		var got report.Proxies
		read(t, Handler(s, reported, nothingDenied(), issuer("failing"), noPeers{}, (&cluster{}).access(time.Now)), report.ProxiesPath, &got)
		if diff := cmp.Diff(&report.IssuanceFailure{Since: moment, Error: "the issuer is sealed"}, got.Authority.Failure); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("object", func(t *testing.T) {
		var got report.Object
		read(t, handler, report.ObjectsPath+"TrafficTarget/a/known", &got)
		want := report.Object{
			Kind: "TrafficTarget", Namespace: "a", Name: "known", Generation: 7, Changed: moment,
			Sidecars: 3, Acknowledged: 1, Rejected: 1, Laggards: []string{"a/p"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("changes", func(t *testing.T) {
		var got report.Changes
		read(t, handler, report.ChangesPath, &got)
		took := 0.75
		want := []report.Change{
			{
				Number: 2, At: moment, Objects: []report.ChangedObject{{Kind: "TrafficTarget", Namespace: "a", Name: "t", Generation: 3, Removed: true}},
				Total: 4, Sidecars: 1, Open: 1, Seconds: map[string]float64{"push": 0.25}, Waiting: []string{"a/p"},
			},
			{Number: 1, At: moment, Objects: []report.ChangedObject{}, Sidecars: 1, Acknowledged: 1, Seconds: map[string]float64{}, Took: &took},
		}
		if diff := cmp.Diff(want, got.Changes); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("loads", func(t *testing.T) {
		var got report.Loads
		read(t, handler, report.LoadsPath, &got)
		counts := report.LoadCounts{Issued: 30, Succeeded: 20, Failed: 10}
		want := report.Loads{Since: moment, Sidecars: 2, Reporting: 1, Loads: []report.Load{{
			Client: "a/sa", Cluster: "a/web|80", LoadCounts: counts, Seconds: 10, Rate: 3, Recent: []report.LoadInterval{{Start: moment, LoadCounts: counts}},
		}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("rejections", func(t *testing.T) {
		var got report.Rejections
		read(t, handler, report.RejectionsPath, &got)
		want := []report.Rejection{{
			Kind: "TrafficTarget", Namespace: "a", Name: "t", ServiceAccount: "a/sa", Pod: "a/p", Type: "RDS", Resource: "r", Text: "no", At: moment,
		}}
		if diff := cmp.Diff(want, got.Rejections); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		failures := []report.ServerFailure{
			{Cluster: "external-authorization|namespace", Policy: "a/t", ServiceAccount: "a/sa", Sidecars: 2, Since: moment},
			{Cluster: "ratelimit|10.0.0.9:8081", ServiceAccount: "a/sa", Sidecars: 1, Since: moment},
		}
		if diff := cmp.Diff(failures, got.Failures); diff != "" {
			t.Errorf("failures: -want +got:\n%s", diff)
		}
		limited := []report.LimitedPolicy{{Kind: "TrafficTarget", Namespace: "a", Name: "t", ServiceAccounts: []string{"a/sa"}, More: 2}}
		if diff := cmp.Diff(limited, got.Limited); diff != "" {
			t.Errorf("limited: -want +got:\n%s", diff)
		}
	})
	for _, path := range []string{report.ObjectsPath + "TrafficTarget/a/unknown", report.ObjectsPath + "TrafficTarget/a", "/"} {
		if got := get(handler, path, "Bearer reader for report.osm"); got.Code != 404 {
			t.Errorf("%s answers %d", path, got.Code)
		}
	}
}

// policy is one that is quarantined.
var policy = entity.Ref{Kind: entity.KindTrafficTarget, Name: entity.Name{Namespace: "a", Name: "t"}}

// book is what sidecars have reported.
type book loadstats.Loads

func (b book) Read() loadstats.Loads { return loadstats.Loads(b) }

func (book) Await() <-chan struct{} {
	received := make(chan struct{})
	close(received)
	return received
}

func (book) Failures() []loadstats.Failure {
	return []loadstats.Failure{
		{Server: loadstats.Server{Cluster: "external-authorization|namespace", Policy: policy.Name}, Client: key.Identity, Sidecars: 2, Since: moment},
		{Server: loadstats.Server{Cluster: "ratelimit|10.0.0.9:8081"}, Client: key.Identity, Sidecars: 1, Since: moment},
	}
}

var reported = book{Since: moment, Sidecars: 2, Reporting: 1, Pairs: []loadstats.Pair{{
	Client: key.Identity, Cluster: "a/web|80", Counts: loadstats.Counts{Issued: 30, Succeeded: 20, Failed: 10}, Over: 10 * time.Second,
	Recent: []loadstats.Recent{{Start: moment, Counts: loadstats.Counts{Issued: 30, Succeeded: 20, Failed: 10}}},
}}}

var key = scope.Key{Identity: identity.ServiceAccount{Namespace: "a", Name: "sa"}, Class: scope.Class{OnDemand: true}}

func sidecar(pod string, routes status.TypeStatus) status.Proxy {
	return status.Proxy{
		Pod: entity.Name{Namespace: "a", Name: pod}, InstanceID: entity.InstanceID("uid of " + pod), Revision: "osm", Scope: key, ConnectedSince: moment, CertificateExpiry: moment, CertificateIssuer: "g0",
		Destinations: status.Destinations{Loaded: 3, Unknown: 2, Forgotten: 1},
		Types:        map[resourcetype.Type]status.TypeStatus{resourcetype.Routes: routes}, ScopeVersions: map[resourcetype.Type]string{resourcetype.Routes: "v"},
	}
}

func read(t *testing.T, handler http.Handler, path string, document any) {
	t.Helper()
	got := get(handler, path, "Bearer reader for report.osm")
	if got.Code != 200 || got.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%s answers %d %s", path, got.Code, got.Body)
	}
	if err := json.Unmarshal(got.Body.Bytes(), document); err != nil {
		t.Fatal(err)
	}
}

// TestFirstLoadsAreAwaited reads after a pause. The sidecar reports only then, and the answer has its average.
func TestFirstLoadsAreAwaited(t *testing.T) {
	book := loadstats.NewStore(time.Now)
	sidecar := book.Register("one", key.Identity, "")
	_, changed := book.ReportsRequestedUntil()
	go func() {
		<-changed
		sidecar.Report([]loadstats.Load{{Cluster: "a/web|80", Counts: loadstats.Counts{Issued: 600, Succeeded: 600}}}, time.Minute)
	}()
	var got report.Loads
	read(t, Handler(store{ready: true}, book, nil, issuer("g1"), noPeers{}, (&cluster{}).access(time.Now)), report.LoadsPath, &got)
	if len(got.Loads) != 1 || !got.Loads[0].Average || got.Loads[0].Rate != 10 || got.Loads[0].Seconds != 60 {
		t.Errorf("the first answer is %+v, want the average of a minute", got)
	}
}

// TestEveryPathIsProtected asks as a stranger, of a Store and loads that must not even be looked at.
func TestEveryPathIsProtected(t *testing.T) {
	handler := Handler(nil, nil, nil, nil, nil, (&cluster{}).access(time.Now))
	paths := []string{report.ProxiesPath, report.RejectionsPath, report.ChangesPath, report.LoadsPath, report.ObjectsPath + "TrafficTarget/a/known"}
	for _, path := range paths {
		if got := get(handler, path, "Bearer stranger for report.osm"); got.Code != 403 {
			t.Errorf("%s answers %d %s", path, got.Code, got.Body)
		}
	}
}

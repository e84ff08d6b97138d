package metricsserver_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"

	"github.com/openservicemesh/osm-operator/internal/operator/metricsserver"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// cluster is an API server for tokens of the form "USER@AUDIENCE"; no audience means that of the API server. Only prometheus may read. It counts
// reviews of tokens.
func cluster(t *testing.T, reviews *atomic.Int64) kubernetes.Interface {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", func(w http.ResponseWriter, r *http.Request) {
		reviews.Add(1)
		var review authenticationv1.TokenReview
		read(t, r, &review)
		user, audience, valid := strings.Cut(review.Spec.Token, "@")
		if valid && (audience == "" && len(review.Spec.Audiences) == 0 || slices.Contains(review.Spec.Audiences, audience)) {
			review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: user}, Audiences: review.Spec.Audiences}
		} else {
			review.Status.Error = "invalid bearer token"
		}
		write(t, w, review)
	})
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/subjectaccessreviews", func(w http.ResponseWriter, r *http.Request) {
		var review authorizationv1.SubjectAccessReview
		read(t, r, &review)
		review.Status.Allowed = review.Spec.User == "prometheus" && review.Spec.NonResourceAttributes.Path == "/metrics" && review.Spec.NonResourceAttributes.Verb == "get"
		write(t, w, review)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	return kubernetes.NewForConfigOrDie(config)
}

func read(t *testing.T, r *http.Request, into any) {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	if err := json.NewEncoder(w).Encode(object); err != nil {
		t.Error(err)
	}
}

// start runs a server and returns its address.
func start(t *testing.T, clients kubernetes.Interface) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "osm_operator_test"}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	chain, key, err := cert.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	server := &metricsserver.Server{Address: "unused", Certificate: certificate, Metrics: registry, Clients: clients, Now: time.Now, Log: testr.New(t)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server failed: %v", err)
		}
	})
	return listener.Addr().String()
}

// get requests the metrics from an address of the loopback interface. It closes the connection.
func get(from, address, token string) (int, error) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 20 * time.Second}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext: dialer.DialContext, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	request, err := http.NewRequest(http.MethodGet, "https://"+address+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// TestOnlyReadersGetTheMetrics uses tokens for the metrics, for the API server, and for others.
func TestOnlyReadersGetTheMetrics(t *testing.T) {
	var reviews atomic.Int64
	address := start(t, cluster(t, &reviews))
	for token, want := range map[string]int{
		"prometheus@" + names.OperatorMetricsAudience: http.StatusOK,
		"prometheus@":                             http.StatusOK,
		"prometheus@report.osm":                   http.StatusUnauthorized,
		"tenant@" + names.OperatorMetricsAudience: http.StatusForbidden,
		"invalid": http.StatusUnauthorized,
	} {
		if code, err := get("127.0.0.1", address, token); err != nil || code != want {
			t.Errorf("%s: %d %v, want %d", token, code, err, want)
		}
	}
}

// TestSilentConnectionsAndInvalidTokensStopNoReader fills the server with connections that say nothing, and floods it with tokens.
func TestSilentConnectionsAndInvalidTokensStopNoReader(t *testing.T) {
	var reviews atomic.Int64
	address := start(t, cluster(t, &reviews))
	const reader = "prometheus@" + names.OperatorMetricsAudience
	if code, err := get("127.0.0.9", address, reader); err != nil || code != http.StatusOK {
		t.Fatalf("before the flood: %d %v", code, err)
	}
	var silent []net.Conn
	for i := range 600 {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%20))}}
		conn, err := dialer.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, conn)
	}
	t.Cleanup(func() {
		for _, conn := range silent {
			_ = conn.Close()
		}
	})
	before, began := reviews.Load(), time.Now()
	done := make(chan struct{}, 60)
	for i := range 60 {
		go func() { _, _ = get("127.0.2.1", address, fmt.Sprintf("invalid %d", i)); done <- struct{}{} }()
	}
	eventually.True(t, time.Minute, "the reader gets the metrics", func() bool {
		code, err := get("127.0.0.9", address, reader)
		return err == nil && code == http.StatusOK
	})
	for range 60 {
		<-done
	}
	allowed := 2 * (20 + 10*time.Since(began).Seconds() + 1) // one for each audience
	if caused := float64(reviews.Load() - before); caused > allowed {
		t.Errorf("invalid tokens caused %v reviews, want at most %v", caused, allowed)
	}
}

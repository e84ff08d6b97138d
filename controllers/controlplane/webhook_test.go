package controlplane

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestValidator sends a review over TLS, and then stops the webhook.
func TestValidator(t *testing.T) {
	dir := t.TempDir()
	chain, key := pki.New(t).Issue(t, meshtest.SA("control", "webhook"), "cluster.local")
	for name, content := range map[string][]byte{"tls.crt": chain, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reviews, err := validate.NewHTTPHandler(logr.Discard(), validate.Admission{}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	v, err := newValidator("127.0.0.1:0", dir, reviews, func() {})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- v.run(ctx) }()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	const review = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","operation":"CREATE","namespace":"shop","object":` +
		`{"apiVersion":"specs.smi-spec.io/v1alpha4","kind":"HTTPRouteGroup","metadata":{"name":"all","namespace":"shop"},"spec":{"matches":[{"name":"m","pathRegex":"("}]}}}}`
	response, err := client.Post("https://"+v.config.Listener.Addr().String()+validatePath, "application/json", strings.NewReader(review))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusOK || !strings.Contains(string(body), `"allowed":false`) {
		t.Errorf("the response is %d %s, want a rejection", response.StatusCode, body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the webhook stopped with %v", err)
	}
	if _, err := newValidator("127.0.0.1:0", t.TempDir(), reviews, func() {}); err == nil || !strings.Contains(err.Error(), "where the operator's Secret is mounted") {
		t.Errorf("without a certificate: %v", err)
	}
}

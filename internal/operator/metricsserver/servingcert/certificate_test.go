package servingcert

import (
	"context"
	"crypto/x509"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const namespace = "osm-operator-system"

// replicas are some replicas of the operator that share a Secret.
type replicas struct {
	*testing.T
	clients *fake.Clientset
	now     time.Time
	all     []*Certificate
}

func newReplicas(t *testing.T, number int) *replicas {
	r := &replicas{T: t, clients: fake.NewClientset(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for range number {
		r.all = append(r.all, &Certificate{Secrets: r.clients.CoreV1().Secrets(namespace), Namespace: namespace, Now: func() time.Time { return r.now }, Log: testr.New(t)})
	}
	return r
}

func (r *replicas) refresh(c *Certificate) {
	r.Helper()
	if err := c.Refresh(context.Background()); err != nil {
		r.Fatal(err)
	}
}

// verify verifies what a replica serves with authorities that a client has.
func (r *replicas) verify(c *Certificate, authorities string) {
	r.Helper()
	served, err := c.Get(nil)
	if err != nil {
		r.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(served.Certificate[0])
	if err != nil {
		r.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(authorities))
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: ServerName(namespace), CurrentTime: r.now}); err != nil {
		r.Errorf("%s: %v", r.now.Format(time.DateOnly), err)
	}
}

func (r *replicas) authorities(c *Certificate) string {
	r.Helper()
	authorities, err := c.Authorities(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return authorities
}

// TestReplicasShareOneCertificate starts replicas at the same time.
func TestReplicasShareOneCertificate(t *testing.T) {
	r := newReplicas(t, 5)
	if _, err := r.all[0].Get(nil); err == nil {
		t.Error("a certificate is served before it is known")
	}
	var done sync.WaitGroup
	for _, c := range r.all {
		done.Go(func() {
			if err := c.Refresh(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	for _, c := range r.all {
		r.verify(c, r.authorities(r.all[0]))
	}
}

// TestRotationLosesNoScrape lets three years pass. A client reads the authorities once a day, and replicas read the Secret at different times. Each
// replica must be verified with what the client read last.
func TestRotationLosesNoScrape(t *testing.T) {
	r := newReplicas(t, 2)
	r.refresh(r.all[0])
	r.refresh(r.all[1])
	known, certificates := r.authorities(r.all[0]), map[string]bool{}
	for hour := range 3 * 365 * 24 / 6 {
		r.now = r.now.Add(6 * time.Hour)
		r.refresh(r.all[hour%2])
		for _, c := range r.all {
			r.verify(c, known)
			served, _ := c.Get(nil)
			certificates[string(served.Certificate[0])] = true
		}
		if hour%3 == 0 {
			known = r.authorities(r.all[hour%2])
		}
		if t.Failed() {
			return
		}
	}
	if count := len(certificates); count < 4 || count > 6 {
		t.Errorf("%d certificates were served in three years", count)
	}
}

// TestInvalidSecretsAreReplaced damages the Secret.
func TestInvalidSecretsAreReplaced(t *testing.T) {
	for name, damage := range map[string]func(*corev1.Secret){
		"empty":           func(s *corev1.Secret) { s.Data = nil },
		"another key":     func(s *corev1.Secret) { s.Data[privateKey] = []byte("x") },
		"no authorities":  func(s *corev1.Secret) { s.Data[AuthoritiesKey] = nil },
		"an invalid next": func(s *corev1.Secret) { s.Data[nextCertificateKey] = []byte("x") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplicas(t, 1)
			r.refresh(r.all[0])
			secrets := r.clients.CoreV1().Secrets(namespace)
			secret, err := secrets.Get(t.Context(), names.OperatorMetrics, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			damage(secret)
			if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			r.refresh(r.all[0])
			r.verify(r.all[0], r.authorities(r.all[0]))
		})
	}
}

package servingcert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// readInterval is how often a replica reads the Secret.
	readInterval = time.Minute
	// retryInterval is how soon a replica tries again, and requestTimeout how long one attempt takes.
	retryInterval, requestTimeout = 5 * time.Second, 20 * time.Second
)

// ErrUnknown means that the Secret was not read yet.
var ErrUnknown = errors.New("the certificate of the operator's metrics was not read yet")

// Certificate is the certificate that all replicas serve.
type Certificate struct {
	// Secrets are those of the operator's namespace.
	Secrets   corev1client.SecretInterface
	Namespace string
	Now       func() time.Time
	Log       logr.Logger

	served      atomic.Pointer[tls.Certificate]
	authorities atomic.Pointer[string]
}

// ServerName is the name in the certificate of an operator.
func ServerName(namespace string) string { return names.OperatorMetrics + "." + namespace + ".svc" }

// NeedLeaderElection implements manager.LeaderElectionRunnable. Each replica serves its own metrics.
func (*Certificate) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (c *Certificate) Start(ctx context.Context) error {
	for {
		wait := readInterval
		if err := c.Refresh(ctx); err != nil && ctx.Err() == nil {
			c.Log.Error(err, "the certificate of the metrics is not renewed")
			wait = retryInterval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Refresh reads the Secret, and creates or renews it if necessary. If another replica does so at the same time, the result of that one is read.
func (c *Certificate) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		secret, err := c.Secrets.Get(ctx, names.OperatorMetrics, metav1.GetOptions{})
		missing := apierrors.IsNotFound(err)
		if err != nil && !missing {
			return fmt.Errorf("read the Secret %s: %w", names.OperatorMetrics, err)
		}
		data, changed, err := renewed(secret.Data, ServerName(c.Namespace), c.Now())
		if err != nil {
			return err
		}
		switch {
		case missing:
			_, err = c.Secrets.Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: names.OperatorMetrics, Namespace: c.Namespace}, Type: corev1.SecretTypeOpaque, Data: data,
			}, metav1.CreateOptions{})
		case changed:
			secret.Data = data
			_, err = c.Secrets.Update(ctx, secret, metav1.UpdateOptions{})
		}
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || changed && !missing && apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write the Secret %s: %w", names.OperatorMetrics, err)
		}
		return c.use(data)
	}
}

func (c *Certificate) use(data map[string][]byte) error {
	pair, err := tls.X509KeyPair(data[CertificateKey], data[privateKey])
	if err != nil {
		return fmt.Errorf("read the Secret %s: %w", names.OperatorMetrics, err)
	}
	authorities := string(data[AuthoritiesKey])
	c.served.Store(&pair)
	c.authorities.Store(&authorities)
	return nil
}

// Get returns the certificate for a connection. The error is ErrUnknown.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if served := c.served.Load(); served != nil {
		return served, nil
	}
	return nil, ErrUnknown
}

// Authorities returns the authorities of all replicas, in PEM. It reads the Secret if that was not possible yet.
func (c *Certificate) Authorities(ctx context.Context) (string, error) {
	if c.authorities.Load() == nil {
		if err := c.Refresh(ctx); err != nil {
			return "", err
		}
	}
	return *c.authorities.Load(), nil
}

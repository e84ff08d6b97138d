package cli

import (
	"context"
	"fmt"
	"net"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
	reportclient "github.com/openservicemesh/osm-operator/internal/report/client"
)

// reports returns a client for the report API of all control plane replicas of a mesh. It uses forwarded ports that stay open until
// ctx ends.
func (a *app) reports(ctx context.Context, c client.Client, m mesh) *reportclient.Client {
	ports := newForwards(func(pod string) (string, error) { return a.kube.Forward(ctx, m.Namespace, pod, 0, names.ReportPort) })
	return reportclient.New(reportclient.Config{
		Replicas:    reportclient.Pods(c, m.Namespace),
		Token:       a.reportTokens(ctx, m.Namespace),
		Roots:       func() ([]byte, error) { return roots(ctx, c, m) },
		TrustDomain: a.trustDomain(ctx, c, m),
		Dial: func(ctx context.Context, replica reportclient.Replica) (net.Conn, error) {
			return ports.dial(ctx, replica.Name)
		},
	})
}

// reportTokens returns a function that returns a token for a replica, one for each audience. The token of the user is sent to versions before
// v0.2 only, which accept no other.
func (a *app) reportTokens(ctx context.Context, namespace string) func(context.Context, reportclient.Replica) (string, error) {
	var mu sync.Mutex
	known := map[string]func() (string, error){}
	return func(_ context.Context, replica reportclient.Replica) (string, error) {
		mu.Lock()
		if known[replica.Audience] == nil {
			known[replica.Audience] = sync.OnceValues(func() (string, error) { return a.reportToken(ctx, namespace, replica.Audience) })
		}
		token := known[replica.Audience]
		mu.Unlock()
		return token()
	}
}

// reportToken requests a token with an audience. The account of the controller takes the place of the reader, which exists only when the active
// control plane has version v0.2 or later.
func (a *app) reportToken(ctx context.Context, namespace, audience string) (string, error) {
	if audience == "" {
		return a.kube.Token(ctx, namespace, names.Controller)
	}
	token, err := a.kube.RequestToken(ctx, namespace, names.ReportReader, audience)
	if apierrors.IsNotFound(err) {
		return a.kube.RequestToken(ctx, namespace, names.Controller, audience)
	}
	return token, err
}

// roots returns the root certificates of a mesh from its trust ConfigMap, which needs fewer permissions than a Secret.
func roots(ctx context.Context, c client.Client, m mesh) ([]byte, error) {
	trust := &corev1.ConfigMap{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: m.Namespace, Name: names.TrustConfigMap(m.Name)}, trust); err != nil {
		return nil, fmt.Errorf("read ConfigMap %s: %w", names.TrustConfigMap(m.Name), err)
	}
	return []byte(trust.Data[names.CABundleCert]), nil
}

// trustDomain returns the trust domain in which a mesh issues certificates.
func (a *app) trustDomain(ctx context.Context, c client.Client, m mesh) string {
	declared := &v1alpha1.Mesh{}
	err := c.Get(ctx, client.ObjectKey{Name: m.Name}, declared)
	switch {
	case err == nil && declared.Status.Certificates != nil && declared.Status.Certificates.TrustDomain != "":
		return declared.Status.Certificates.TrustDomain
	case err == nil && declared.Spec.Certificates != nil && declared.Spec.Certificates.TrustDomain != nil:
		return *declared.Spec.Certificates.TrustDomain
	}
	return names.DefaultTrustDomain
}

package cli

import (
	"context"
	"fmt"
	"net"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// reports returns a client for the report API of all control plane replicas of a mesh. It uses forwarded ports that stay open until
// ctx ends.
func (a *app) reports(ctx context.Context, c client.Client, m mesh) *reportclient.Client {
	ports := newForwards(func(pod string) (string, error) { return a.kube.Forward(ctx, m.Namespace, pod, 0, names.ReportPort) })
	return reportclient.New(reportclient.Config{
		Replicas:    reportclient.ControlPlane{Mesh: m.Name, Namespace: m.Namespace}.Replicas(c),
		Token:       a.reportToken(ctx, m),
		Roots:       func() ([]byte, error) { return roots(ctx, c, m) },
		TrustDomain: a.trustDomain(ctx, c, m),
		Dial: func(ctx context.Context, replica reportclient.Replica) (net.Conn, error) {
			return ports.dial(ctx, replica.Name)
		},
	})
}

// reportToken returns a function that requests a token for the report API of a mesh, once. The account of such a token may read reports and
// nothing else. The user's own token is never sent.
func (a *app) reportToken(ctx context.Context, m mesh) func(context.Context) (string, error) {
	request := sync.OnceValues(func() (string, error) {
		return a.kube.RequestToken(ctx, m.Namespace, names.ReportReader, names.ReportAudience(m.Name))
	})
	return func(context.Context) (string, error) { return request() }
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

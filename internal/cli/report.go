package cli

import (
	"context"
	"fmt"
	"net"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
	reportclient "github.com/openservicemesh/osm-operator/internal/report/client"
)

// reports asks the replicas of a mesh's control plane what they know about sidecars, through forwarded ports that are open until
// ctx ends.
func (a *app) reports(ctx context.Context, c client.Client, m mesh) *reportclient.Client {
	var ways sync.Map // from names of replicas to addresses of forwarded ports, so that asking again opens none
	token := sync.OnceValues(func() (string, error) { return a.kube.Token(ctx, m.Namespace, names.Controller) })
	return reportclient.New(reportclient.Config{
		Replicas:    reportclient.Pods(c, m.Namespace),
		Token:       token,
		Roots:       func() ([]byte, error) { return roots(ctx, c, m) },
		TrustDomain: a.trustDomain(ctx, c, m),
		Dial: func(dialing context.Context, replica reportclient.Replica) (net.Conn, error) {
			way, open := ways.Load(replica.Name)
			if !open {
				address, err := a.kube.Forward(ctx, m.Namespace, replica.Name, 0, names.ReportPort)
				if err != nil {
					return nil, err
				}
				way, _ = ways.LoadOrStore(replica.Name, address)
			}
			var dialer net.Dialer
			return dialer.DialContext(dialing, "tcp", fmt.Sprint(way))
		},
	})
}

// roots are the root certificates of a mesh, from the ConfigMap that everybody who may look at pods may read.
func roots(ctx context.Context, c client.Client, m mesh) ([]byte, error) {
	trust := &corev1.ConfigMap{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: m.Namespace, Name: names.TrustConfigMap(m.Name)}, trust); err != nil {
		return nil, fmt.Errorf("the ConfigMap %s cannot be read: %w", names.TrustConfigMap(m.Name), err)
	}
	return []byte(trust.Data[names.CABundleCert]), nil
}

// trustDomain is the mesh's.
func (a *app) trustDomain(ctx context.Context, c client.Client, m mesh) string {
	declared := &v1alpha1.Mesh{}
	if err := c.Get(ctx, client.ObjectKey{Name: m.Name}, declared); err == nil && declared.Spec.Certificates != nil && declared.Spec.Certificates.TrustDomain != nil {
		return *declared.Spec.Certificates.TrustDomain
	}
	return names.DefaultTrustDomain
}

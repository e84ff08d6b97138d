package requests

import (
	"fmt"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// qps and burst limit the requests to the API server. A certificate takes three.
const qps, burst = 60, 60

// NewClient returns a client for CertificateRequests, with a rate limit of its own. It sends nothing before its first request.
func NewClient(config *rest.Config) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	if err := cmapi.AddToScheme(scheme); err != nil {
		return nil, err
	}
	own := rest.CopyConfig(config)
	own.QPS, own.Burst = qps, burst
	c, err := client.NewWithWatch(own, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("the client for CertificateRequests cannot be created: %w", err)
	}
	return c, nil
}

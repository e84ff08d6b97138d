package requests

import (
	"context"
	"errors"
	"fmt"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// abandonedAge is the age from which a CertificateRequest is one of a replica that has crashed.
const abandonedAge = 10 * time.Minute

// SweepEvery sweeps at once and then at an interval until ctx ends, whenever isUsed says that workloads have certificates of cert-manager.
func (r *Requester) SweepEvery(ctx context.Context, interval time.Duration, isUsed func() bool, failed func(error)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if isUsed() {
			if err := r.Sweep(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Sweep deletes the CertificateRequests of replicas that have crashed.
func (r *Requester) Sweep(ctx context.Context) error {
	var list cmapi.CertificateRequestList
	if err := r.config.Client.List(ctx, &list, client.InNamespace(r.config.Namespace), client.MatchingLabels(r.config.Labels)); err != nil {
		return describe(fmt.Errorf("the CertificateRequests of workloads cannot be listed: %w", err))
	}
	var errs []error
	for i := range list.Items {
		request := &list.Items[i]
		if r.config.Now().Sub(request.CreationTimestamp.Time) > abandonedAge {
			errs = append(errs, client.IgnoreNotFound(r.config.Client.Delete(ctx, request)))
		}
	}
	return errors.Join(errs...)
}

package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// followLimit is the time limit for Kubernetes to follow changes again. After the API server was away for long, kube-proxy and the controllers of Kubernetes
// read it again with pauses of up to a minute, and repeat failed work with pauses of more. Meanwhile nodes connect clients to pods that are gone.
const followLimit = 5 * time.Minute

// probe is a Service that gets an endpoint and loses it.
const probe = "probe"

// awaitEndpoints waits until the node follows the endpoints of a Service in both directions. What the next fault replaces would be searched at its old
// address otherwise.
func awaitEndpoints(t *testing.T) error {
	t.Helper()
	ctx := t.Context()
	service := lab.TestService(outside, probe)
	if err := cluster.Create(ctx, service); err != nil {
		return err
	}
	t.Cleanup(func() { lab.Must(t, client.IgnoreNotFound(cluster.Client.Delete(context.Background(), service))) })
	for _, step := range []struct {
		selected string
		hasPod   bool
	}{{outsider, true}, {probe, false}} {
		if err := cluster.Patch(ctx, service.DeepCopy(), fmt.Sprintf(`{"spec":{"selector":{%q:%q}}}`, lab.AppLabel, step.selected)); err != nil {
			return err
		}
		if err := lab.Until(ctx, followLimit, "the node follows the endpoints of a Service", func(ctx context.Context) (bool, string, error) {
			accepted, err := accepts(ctx, service)
			return accepted == step.hasPod, fmt.Sprintf("connections to Service %s are accepted: %t, want %t", probe, accepted, step.hasPod), err
		}); err != nil {
			return err
		}
	}
	return cluster.Client.Delete(ctx, service)
}

// accepts reports whether a Service has an endpoint, as seen from the node.
func accepts(ctx context.Context, service *corev1.Service) (bool, error) {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(lab.HTTPPort)))
	if err == nil {
		return true, conn.Close()
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return false, nil
	}
	return false, err
}

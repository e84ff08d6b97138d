package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// followLimit is the time limit for Kubernetes to follow changes again. After the API server was away for long, kube-proxy and the controllers of Kubernetes
// wait up to a minute before they read from it again, and longer before they repeat work that has failed. Meanwhile nodes connect clients to pods that are gone.
const followLimit = 5 * time.Minute

// probe is a Service that gets an endpoint and loses it.
const probe = "probe"

// awaitEndpoints waits until the node follows the endpoints of a Service in both directions. Otherwise it would connect clients to the pods that the next fault
// has replaced.
func awaitEndpoints(ctx context.Context) (err error) {
	service := lab.TestService(outside, probe)
	if err := cluster.Create(ctx, service); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Client.Delete(context.WithoutCancel(ctx), service)) }()
	if err := selectPods(ctx, service, outsider, true); err != nil {
		return err
	}
	return selectPods(ctx, service, probe, false)
}

// selectPods changes the app that a Service selects, and waits until the node connects to its pod, or refuses connections if there is none.
func selectPods(ctx context.Context, service *corev1.Service, app string, exists bool) error {
	if err := cluster.Patch(ctx, service.DeepCopy(), fmt.Sprintf(`{"spec":{"selector":{%q:%q}}}`, lab.AppLabel, app)); err != nil {
		return err
	}
	address := net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(lab.HTTPPort))
	return lab.Until(ctx, followLimit, "the node follows the endpoints of a Service", func(ctx context.Context) (bool, string, error) {
		err := lab.Dial(ctx, address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return !exists, "connections are refused", nil
		}
		return exists && err == nil, "connections are accepted", err
	})
}

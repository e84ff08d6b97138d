package operator

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/operator/leader"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// renewDeadline is how long the active replica tries to renew its Lease, as in controller-runtime.
const renewDeadline = 10 * time.Second

// electionLock returns the Lease that the active replica holds. Its StandBy is not set.
func electionLock(cfg *rest.Config, scheme *runtime.Scheme, o Options) (*leader.Lock, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("cannot read the name of this host: %w", err)
	}
	identity := resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())}
	lease, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, o.Namespace, names.Operator, identity, cfg, renewDeadline)
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the lease of the operator: %w", err)
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the search for other operators: %w", err)
	}
	others := &leader.Others{Client: c, Namespace: o.Namespace, Now: o.Now}
	return &leader.Lock{Interface: lease, Others: others, Log: o.Logger, Wait: wait}, nil
}

// standBy reports another operator to the log, and as an Event of this operator's Deployment.
func standBy(logger logr.Logger, recorder events.EventRecorder, namespace string) func(leader.Other) {
	deployment := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{Name: names.Operator, Namespace: namespace},
	}
	return func(other leader.Other) {
		const message = "the operator in namespace %s manages the meshes of this cluster: this operator does nothing until that one stops, so remove one of them"
		logger.Info(fmt.Sprintf(message, other.Namespace), "since", other.Since)
		recorder.Eventf(deployment, nil, corev1.EventTypeWarning, "StandingBy", "Elect", message, other.Namespace)
	}
}

// wait waits for a duration, or until the context ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

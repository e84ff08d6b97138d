package client

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Pods lists the replicas of the control plane in a namespace by their pods, sorted by name: those of the mesh's own, and those of one that
// runs beside it, which has sidecars, too. All that run count, ready or not: one that does not answer still has sidecars.
func Pods(reader client.Reader, namespace string) func(context.Context) ([]Replica, error) {
	return func(ctx context.Context) ([]Replica, error) {
		var pods corev1.PodList
		if err := reader.List(ctx, &pods, client.InNamespace(namespace), client.HasLabels{names.AppLabel}); err != nil {
			return nil, err
		}
		var replicas []Replica
		for _, pod := range pods.Items {
			if pod.Status.Phase != corev1.PodRunning || names.Component(pod.Labels[names.AppLabel]) != names.Controller {
				continue
			}
			replica := Replica{Name: pod.Name}
			if len(pod.Status.PodIPs) > 0 {
				replica.Address = net.JoinHostPort(pod.Status.PodIPs[0].IP, strconv.Itoa(names.ReportPort))
			}
			replicas = append(replicas, replica)
		}
		slices.SortFunc(replicas, func(a, b Replica) int { return strings.Compare(a.Name, b.Name) })
		return replicas, nil
	}
}

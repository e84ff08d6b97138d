package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// sidecarsOf returns the sidecars of pods in the order of the pods: one of each, or both slots.
func sidecarsOf(pods map[tap.Pod]*corev1.Pod) []tap.Sidecar {
	var sidecars []tap.Sidecar
	for _, key := range keysOf(pods) {
		slots := kube.Slots(pods[key])
		if len(slots) == 0 {
			sidecars = append(sidecars, tap.Sidecar{Pod: key})
		}
		for _, slot := range slots {
			sidecars = append(sidecars, tap.Sidecar{Pod: key, Slot: slot})
		}
	}
	return sidecars
}

// containerOf is the name of the container of a sidecar.
func containerOf(s tap.Sidecar) string { return cmp.Or(s.Slot, names.SidecarContainer) }

// slotPoll is the interval of looking for the next container of a slot.
const slotPoll = time.Second

// opener opens the log of a sidecar from now on. That of a slot goes on when an upgrade replaces the container.
func opener(logs kubernetes.Interface, pods map[tap.Pod]*corev1.Pod) func(context.Context, tap.Sidecar) (io.ReadCloser, error) {
	return func(ctx context.Context, s tap.Sidecar) (io.ReadCloser, error) {
		stream, err := openLog(ctx, logs, s, ptr.To(int64(0)))
		if err != nil {
			return nil, fmt.Errorf("the log of the sidecar in pod %s/%s cannot be read: %w", s.Namespace, s.Name, err)
		}
		if s.Slot == "" {
			return stream, nil
		}
		return followSlot(ctx, logs, s, slotPoll, stream, containerID(pods[s.Pod], s.Slot)), nil
	}
}

// openLog opens a log and follows it. lines are those before now, and all for nil.
func openLog(ctx context.Context, logs kubernetes.Interface, s tap.Sidecar, lines *int64) (io.ReadCloser, error) {
	return logs.CoreV1().Pods(s.Namespace).GetLogs(s.Name, &corev1.PodLogOptions{Container: containerOf(s), Follow: true, TailLines: lines}).Stream(ctx)
}

// slotLog is the log of a slot.
type slotLog struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close ends the log.
func (l slotLog) Close() error {
	l.cancel()
	return l.PipeReader.Close()
}

// followSlot reads a log, and then those of the containers that replace the given one, until the pod ends.
func followSlot(ctx context.Context, logs kubernetes.Interface, s tap.Sidecar, poll time.Duration, stream io.ReadCloser, container string) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	reader, writer := io.Pipe()
	go func() {
		defer cancel()
		for stream != nil {
			_, _ = io.Copy(writer, stream) // a broken connection is opened again
			_ = stream.Close()
			stream, container = nextLog(ctx, logs, s, poll, container)
		}
		_ = writer.Close()
	}()
	return slotLog{reader, cancel}
}

// nextLog waits until a slot has another container, or still has the same one after some time: then only the connection was lost. It returns nil at
// the end of the pod.
func nextLog(ctx context.Context, logs kubernetes.Interface, s tap.Sidecar, poll time.Duration, before string) (io.ReadCloser, string) {
	const lost = 5
	for tries := 1; ; tries++ {
		select {
		case <-ctx.Done():
			return nil, ""
		case <-time.After(poll):
		}
		pod, err := logs.CoreV1().Pods(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || apierrors.IsForbidden(err), err == nil && kube.IsGone(pod):
			return nil, ""
		case err != nil:
			continue
		}
		var lines *int64
		container := containerID(pod, s.Slot)
		if container == before {
			lines = ptr.To(int64(0))
		}
		if container == "" || container == before && tries < lost {
			continue
		}
		if stream, err := openLog(ctx, logs, s, lines); err == nil {
			return stream, container
		}
	}
}

// containerID identifies the running container of a slot; empty if none runs.
func containerID(pod *corev1.Pod, slot string) string {
	i := slices.IndexFunc(pod.Status.InitContainerStatuses, func(c corev1.ContainerStatus) bool { return c.Name == slot && c.State.Running != nil })
	if i < 0 {
		return ""
	}
	return pod.Status.InitContainerStatuses[i].ContainerID
}

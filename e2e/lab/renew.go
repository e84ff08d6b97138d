package lab

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// RenewPods restarts Deployments of namespaces whose pods run another build of an image tag than the last one, and
// waits until the new pods are ready.
func (c *Cluster) RenewPods(ctx context.Context, namespaces ...string) error {
	if IsCurrent() {
		return nil
	}
	built, err := c.builtDigests()
	if err != nil {
		return err
	}
	for _, namespace := range namespaces {
		var pods corev1.PodList
		if err := c.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			return err
		}
		for i := range pods.Items {
			if !isOutdated(&pods.Items[i], built) {
				continue
			}
			if err := client.IgnoreNotFound(c.Client.Delete(ctx, &pods.Items[i])); err != nil {
				return err
			}
		}
		if err := c.awaitRenewal(ctx, namespace, built); err != nil {
			return err
		}
	}
	return c.Available(ctx, 3*time.Minute, namespaces...)
}

// awaitRenewal waits until no pod of a namespace runs an old image.
func (c *Cluster) awaitRenewal(ctx context.Context, namespace string, built map[string]string) error {
	return Until(ctx, 3*time.Minute, "pods of "+namespace+" renewed", func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		if err := c.Client.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
			return false, "", err
		}
		for i := range pods.Items {
			if isOutdated(&pods.Items[i], built) {
				return false, "pod " + pods.Items[i].Name + " still exists", nil
			}
		}
		return true, "", nil
	})
}

// isOutdated reports whether a pod runs an image of the project that has been rebuilt since.
func isOutdated(pod *corev1.Pod, built map[string]string) bool {
	for _, status := range pod.Status.ContainerStatuses {
		for reference, digest := range built {
			if reference == status.Image && status.ImageID != "" && !strings.HasSuffix(status.ImageID, digest) {
				return true
			}
		}
	}
	return false
}

// builtDigests maps the references of built images to their digests.
func (c *Cluster) builtDigests() (map[string]string, error) {
	data, err := os.ReadFile(c.Repository.Path("bin", "images", "images.lock"))
	if err != nil {
		return nil, err
	}
	var list map[string]struct{ Reference, Digest string }
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, errors.Join(errors.New("bin/images/images.lock is not a valid list of images"), err)
	}
	digests := map[string]string{}
	for _, image := range list {
		digests[image.Reference] = image.Digest
	}
	return digests, nil
}

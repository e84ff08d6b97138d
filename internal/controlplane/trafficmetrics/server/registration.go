package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"github.com/openservicemesh/osm-operator/internal/controlplane/trafficmetrics"
)

const (
	// pollInterval is how often the APIService is read.
	pollInterval = 2 * time.Second
	// maxRoots is the maximum number of roots in the APIService: those of the replicas, and of earlier ones during a rollout.
	maxRoots = 4
)

// apiServices is the resource of APIServices.
var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// registration adds the root of the server's certificate to its APIService. Each replica has a root of its own, whose key exists in memory
// only. Somebody else creates and deletes the APIService.
type registration struct {
	client dynamic.Interface
	bundle []byte
	log    logr.Logger
}

// run keeps the root in the APIService until ctx ends.
func (r *registration) run(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := r.write(ctx); err != nil && ctx.Err() == nil {
			r.log.Error(err, "the certificate of this server cannot be written into its APIService")
		}
	}, pollInterval)
	return nil
}

// write adds the root if the APIService exists without it. A replica that writes at the same time causes a conflict, and the next call succeeds.
func (r *registration) write(ctx context.Context) error {
	name := trafficmetrics.Version.Version + "." + trafficmetrics.Version.Group
	live, err := r.client.Resource(apiServices).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	text, _, _ := unstructured.NestedString(live.Object, "spec", "caBundle")
	roots, err := base64.StdEncoding.DecodeString(text)
	if err == nil && bytes.Contains(roots, bytes.TrimSpace(r.bundle)) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": live.GetResourceVersion()}, "spec": map[string]any{"caBundle": withRoot(roots, r.bundle)},
	})
	if err != nil {
		return err
	}
	_, err = r.client.Resource(apiServices).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "osm-traffic-metrics"})
	if apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("patch %s: %w", name, err)
	}
	r.log.Info("wrote the certificate of this server into its APIService", "name", name)
	return nil
}

// withRoot adds a root to others. Beyond maxRoots, it removes the oldest ones.
func withRoot(roots, own []byte) []byte {
	var blocks [][]byte
	for rest := roots; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks = append(blocks, pem.EncodeToMemory(block))
	}
	blocks = append(blocks, own)
	return bytes.Join(blocks[max(0, len(blocks)-maxRoots):], nil)
}

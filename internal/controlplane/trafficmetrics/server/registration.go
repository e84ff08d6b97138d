package server

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
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

// pollInterval is how often the APIService is read.
const pollInterval = 2 * time.Second

// apiServices is the resource of APIServices.
var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// registration writes the root of the server's certificate into its APIService. Somebody else creates and deletes the APIService.
type registration struct {
	client dynamic.Interface
	bundle []byte
	log    logr.Logger
}

// run keeps the bundle of the APIService until ctx ends.
func (r *registration) run(ctx context.Context) error {
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		if err := r.write(ctx); err != nil && ctx.Err() == nil {
			r.log.Error(err, "the certificate of this server cannot be written into its APIService")
		}
	}, pollInterval)
	return nil
}

// write writes the bundle if the APIService exists with another one.
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
	if bundle, err := base64.StdEncoding.DecodeString(text); err == nil && bytes.Equal(bundle, r.bundle) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"caBundle": r.bundle}})
	if err != nil {
		return err
	}
	if _, err := r.client.Resource(apiServices).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "osm-traffic-metrics"}); err != nil {
		return fmt.Errorf("patch %s: %w", name, err)
	}
	r.log.Info("wrote the certificate of this server into its APIService", "name", name)
	return nil
}

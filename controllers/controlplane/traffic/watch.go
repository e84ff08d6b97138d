package traffic

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Watcher watches the policy kinds, each once the cluster defines it.
type Watcher struct {
	Feed        *feed.Feed
	Definitions Definitions
	Log         logr.Logger
}

// Start watches the kinds that are defined now, and returns a function for each that reports whether its first list has
// been delivered. The other kinds are watched in the background once they are defined. Start waits until it is certain
// which kinds are defined: a policy that is not read denies what it grants.
func (w Watcher) Start(ctx context.Context, sources []kinds.Source) (synced []func() bool, err error) {
	for _, source := range sources {
		defined, err := w.waitUntilKnown(ctx, source)
		if err != nil {
			return nil, err
		}
		if !defined {
			w.Log.Info("kind is not defined in this cluster; its policies take effect once it is", "kind", source.Kind)
			go w.watchOnceDefined(ctx, source)
			continue
		}
		hasSynced, err := w.Feed.Watch(ctx, source)
		if err != nil {
			return nil, err
		}
		synced = append(synced, hasSynced)
	}
	return synced, nil
}

// waitUntilKnown returns whether a kind is defined, once discovery and definition agree.
func (w Watcher) waitUntilKnown(ctx context.Context, source kinds.Source) (defined bool, err error) {
	err = wait.PollUntilContextCancel(ctx, DefinitionPollInterval, true, func(ctx context.Context) (bool, error) {
		var err error
		if defined, err = w.isDefined(ctx, source); err != nil {
			w.Log.Info("cannot find out yet whether a kind is defined; not ready meanwhile", "kind", source.Kind, "reason", err.Error())
		}
		return err == nil, nil
	})
	return defined, err
}

func (w Watcher) isDefined(ctx context.Context, source kinds.Source) (bool, error) {
	return w.Definitions.Has(ctx, source.Object.GetObjectKind().GroupVersionKind())
}

func (w Watcher) watchOnceDefined(ctx context.Context, source kinds.Source) {
	err := wait.PollUntilContextCancel(ctx, DefinitionPollInterval, false, func(ctx context.Context) (bool, error) {
		if defined, err := w.isDefined(ctx, source); err != nil || !defined {
			return false, nil //nolint:nilerr // polled again
		}
		if _, err := w.Feed.Watch(ctx, source); err != nil {
			w.Log.Error(err, "cannot watch kind yet", "kind", source.Kind)
			return false, nil
		}
		return true, nil
	})
	if err == nil {
		w.Log.Info("kind is defined and watched now", "kind", source.Kind)
	}
}

// DefinitionPollInterval is how often the API server is polled for a kind that it does not define yet.
const DefinitionPollInterval = 5 * time.Second

// IsDefined reports whether the discovery of the cluster has a kind. It is false if the discovery fails.
func IsDefined(mapper meta.RESTMapper, kind schema.GroupVersionKind) bool {
	_, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	return err == nil
}

// WhenDefined calls start once the cluster defines some kinds, and returns its error. It returns nil if ctx ends before.
func WhenDefined(ctx context.Context, mapper meta.RESTMapper, start func() error, required ...schema.GroupVersionKind) error {
	isUndefined := func(kind schema.GroupVersionKind) bool { return !IsDefined(mapper, kind) }
	err := wait.PollUntilContextCancel(ctx, DefinitionPollInterval, true, func(context.Context) (bool, error) {
		return !slices.ContainsFunc(required, isUndefined), nil
	})
	if err != nil {
		return nil //nolint:nilerr // the process is stopping
	}
	return start()
}

// Definitions finds out which kinds the cluster defines.
type Definitions struct {
	Mapper meta.RESTMapper
	// Reader reads from the API server, not from a cache.
	Reader client.Reader
}

var definitionKind = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// Has reports whether the cluster defines a kind. Discovery can be incomplete, so its absence counts only if the
// CustomResourceDefinition does not serve the kind either. The error means that the answer is not known yet.
func (d Definitions) Has(ctx context.Context, kind schema.GroupVersionKind) (bool, error) {
	_, err := d.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err == nil {
		return true, nil
	}
	if !meta.IsNoMatchError(err) {
		return false, fmt.Errorf("the discovery of %s fails: %w", kind.Kind, err)
	}
	definition := &unstructured.Unstructured{}
	definition.SetGroupVersionKind(definitionKind)
	name := definitionName(kind)
	err = d.Reader.Get(ctx, client.ObjectKey{Name: name}, definition)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("the CustomResourceDefinition %s cannot be read: %w", name, err)
	case serves(definition, kind.Version):
		return false, fmt.Errorf("the CustomResourceDefinition %s serves %s, but the discovery lacks it", name, kind.Version)
	}
	return false, nil
}

// definitionName returns the name of the CustomResourceDefinition of a kind.
func definitionName(kind schema.GroupVersionKind) string {
	plural, _ := meta.UnsafeGuessKindToResource(kind)
	if stem, found := strings.CutSuffix(strings.ToLower(kind.Kind), "ay"); found {
		// The guess is wrong for y after a vowel, which remains.
		plural.Resource = stem + "ays"
	}
	return plural.Resource + "." + kind.Group
}

// serves reports whether a CustomResourceDefinition is established and serves a version.
func serves(definition *unstructured.Unstructured, version string) bool {
	return hasItem(definition, "type", "Established", "status", "True", "status", "conditions") &&
		hasItem(definition, "name", version, "served", true, "spec", "versions")
}

// hasItem reports whether a list has an item with two fields of the given values.
func hasItem(object *unstructured.Unstructured, firstKey, firstValue, secondKey string, secondValue any, path ...string) bool {
	items, _, _ := unstructured.NestedSlice(object.Object, path...)
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok && fields[firstKey] == firstValue && fields[secondKey] == secondValue {
			return true
		}
	}
	return false
}

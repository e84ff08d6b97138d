package traffic

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// DefinitionPollInterval is how often the API server is polled for a kind that it does not define yet.
const DefinitionPollInterval = 5 * time.Second

// IsDefined reports whether the cluster defines a kind.
func IsDefined(mapper meta.RESTMapper, kind schema.GroupVersionKind) bool {
	_, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	return err == nil
}

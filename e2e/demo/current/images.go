package current

import (
	"regexp"
	"strings"
)

// WithRegistry returns manifests whose images of the project are pulled from a registry with an optional path, as `osm bundle images --mirror`
// names them. An empty registry changes nothing.
func WithRegistry(manifests, registry string) string {
	if registry == "" {
		return manifests
	}
	image := regexp.MustCompile(`(?m)^(.*\b(?:image|value): )(openservicemesh/)`)
	return image.ReplaceAllString(manifests, "${1}"+strings.ReplaceAll(strings.TrimSuffix(registry, "/"), "$", "$$")+"/${2}")
}

package bundle

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	operatorsv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	"sigs.k8s.io/yaml"
)

// Release is a version in a catalog.
type Release struct {
	// Files are the files of its bundle.
	Files map[string][]byte
	// Image is the reference of the bundle's image. If it is empty, the catalog contains the manifests.
	Image string
}

// blob is an entry of a file-based catalog.
type blob map[string]any

// Catalog renders a file-based catalog of releases, oldest first. Each replaces the one before it, in all channels.
func Catalog(releases []Release, description string, icon []byte) ([]byte, error) {
	blobs := []blob{{
		"schema": "olm.package", "name": Package, "defaultChannel": DefaultChannel, "description": description,
		"icon": blob{"base64data": base64.StdEncoding.EncodeToString(icon), "mediatype": "image/svg+xml"},
	}}
	var entries []blob
	var bundles []blob
	for _, release := range releases {
		csv := &operatorsv1alpha1.ClusterServiceVersion{}
		if err := yaml.Unmarshal(release.Files["manifests/"+Package+".clusterserviceversion.yaml"], csv); err != nil {
			return nil, fmt.Errorf("cannot read a ClusterServiceVersion: %w", err)
		}
		entry := blob{"name": csv.Name}
		if len(entries) > 0 {
			entry["replaces"] = entries[len(entries)-1]["name"]
		}
		entries = append(entries, entry)
		described, err := describeBundle(release, csv)
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, described)
	}
	for channel := range strings.SplitSeq(Channels, ",") {
		blobs = append(blobs, blob{"schema": "olm.channel", "package": Package, "name": channel, "entries": entries})
	}
	return stream(append(blobs, bundles...))
}

// describeBundle is the entry of a bundle.
func describeBundle(release Release, csv *operatorsv1alpha1.ClusterServiceVersion) (blob, error) {
	properties := []blob{{"type": "olm.package", "value": blob{"packageName": Package, "version": csv.Spec.Version.String()}}}
	for _, owned := range csv.Spec.CustomResourceDefinitions.Owned {
		_, group, _ := strings.Cut(owned.Name, ".")
		properties = append(properties, blob{"type": "olm.gvk", "value": blob{"group": group, "kind": owned.Kind, "version": owned.Version}})
	}
	if release.Image == "" {
		objects, err := inline(release.Files)
		if err != nil {
			return nil, err
		}
		properties = append(properties, objects...)
	} else {
		properties = append(properties, blob{"type": "olm.csv.metadata", "value": csvMetadata(csv)})
	}
	images := []blob{}
	for _, image := range csv.Spec.RelatedImages {
		images = append(images, blob{"name": image.Name, "image": image.Image})
	}
	return blob{"schema": "olm.bundle", "name": csv.Name, "package": Package, "image": release.Image, "properties": properties, "relatedImages": images}, nil
}

// inline are the manifests of a bundle as properties, which OLM uses instead of an image.
func inline(files map[string][]byte) ([]blob, error) {
	var properties []blob
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasPrefix(name, "manifests/") {
			continue
		}
		content, err := yaml.YAMLToJSON(files[name])
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		properties = append(properties, blob{"type": "olm.bundle.object", "value": blob{"data": base64.StdEncoding.EncodeToString(content)}})
	}
	return properties, nil
}

// csvMetadata is the part of a ClusterServiceVersion that catalogs show.
func csvMetadata(csv *operatorsv1alpha1.ClusterServiceVersion) blob {
	return blob{
		"annotations": csv.Annotations, "labels": csv.Labels, "displayName": csv.Spec.DisplayName, "description": csv.Spec.Description,
		"crdDescriptions": csv.Spec.CustomResourceDefinitions, "apiServiceDefinitions": csv.Spec.APIServiceDefinitions, "installModes": csv.Spec.InstallModes,
		"keywords": csv.Spec.Keywords, "links": csv.Spec.Links, "maintainers": csv.Spec.Maintainers, "maturity": csv.Spec.Maturity,
		"minKubeVersion": csv.Spec.MinKubeVersion, "provider": csv.Spec.Provider,
	}
}

// stream writes entries as a JSON stream, which a catalog may have instead of YAML.
func stream(blobs []blob) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	for _, b := range blobs {
		if err := encoder.Encode(b); err != nil {
			return nil, fmt.Errorf("cannot write the catalog: %w", err)
		}
	}
	return text.Bytes(), nil
}

package sbom

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	packageurl "github.com/package-url/packageurl-go"
)

// Subject is what a document describes: an image of one platform, or a program.
type Subject struct {
	// Name and Version identify the subject, such as docker.io/openservicemesh/init.
	Name, Version string
	// IsImage is true for images.
	IsImage bool
	// SHA256 is the hexadecimal digest of the manifest or of the program.
	SHA256 string
	// Components are parts of the subject, sorted with Sort.
	Components []Component
	// Created is the time of the release.
	Created time.Time
}

// Component is a Go module or a downloaded package.
type Component struct {
	// Name and Version are those of its ecosystem.
	Name, Version string
	// URL is the package URL.
	URL string
	// SHA256 is the hexadecimal hash of the downloaded file. It is empty for Go modules.
	SHA256 string
}

// Modules returns the Go modules that are linked into a program, and Go's standard library. The program's own module has the given
// version.
func Modules(program []byte, version string) ([]Component, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, fmt.Errorf("the program does not list its modules: %w", err)
	}
	return linked(info, version), nil
}

// linked returns the components that a program lists.
func linked(info *buildinfo.BuildInfo, version string) []Component {
	components := []Component{
		golang(debug.Module{Path: info.Main.Path, Version: version}),
		golang(debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}),
	}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		components = append(components, golang(*module))
	}
	return Sort(components)
}

// golang returns the component of a Go module.
func golang(module debug.Module) Component {
	namespace, name := "", module.Path
	if i := strings.LastIndex(module.Path, "/"); i >= 0 {
		namespace, name = module.Path[:i], module.Path[i+1:]
	}
	url := packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, module.Version, nil, "")
	return Component{Name: module.Path, Version: module.Version, URL: url.ToString()}
}

// Downloaded returns the component of a package whose name has the prefix deb: or pypi:, as in the image list.
func Downloaded(name, version, sha256, architecture string) (Component, error) {
	c := Component{Version: version, SHA256: sha256}
	origin, short, _ := strings.Cut(name, ":")
	c.Name = short
	switch origin {
	case "deb":
		qualifiers := packageurl.QualifiersFromMap(map[string]string{"arch": architecture})
		c.URL = packageurl.NewPackageURL(packageurl.TypeDebian, "debian", short, version, qualifiers, "").ToString()
	case "pypi":
		c.URL = packageurl.NewPackageURL(packageurl.TypePyPi, "", short, version, nil, "").ToString()
	default:
		return c, fmt.Errorf("the package %q has no known origin, which is the prefix deb or pypi", name)
	}
	return c, nil
}

// Sort sorts components by their package URLs, and removes duplicates.
func Sort(components []Component) []Component {
	slices.SortFunc(components, func(a, b Component) int { return cmp.Compare(a.URL, b.URL) })
	return slices.Compact(components)
}

// Command docssite builds the documentation site: go run ./docssite [-out FOLDER]
//
// Input: docs, mkdocs.yml and requirements.txt, which pins mkdocs-material with the hashes of all its dependencies. Output: the site in
// bin/site, or in FOLDER, and its path on standard output. A link or an anchor that does not exist, and a page that is not in the
// navigation, fail the build. Python and pip are required; nothing is installed outside of the cache folder.
package main

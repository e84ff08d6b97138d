// Package layer compresses file trees into image layers and caches each by a key of its inputs.
//
// Input: a key and a function that collects the files. Output: an image layer whose bytes are in the cache folder. The
// function is not called if the cache has the key.
package layer

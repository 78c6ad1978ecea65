// Package s3 keeps files in a bucket of Amazon S3, or of whatever speaks its
// protocol: MinIO, Ceph, Garage, Cloudflare R2.
//
// A file comes to a temporary one on this machine first, since its name is what it
// holds, and is then put under that name in one request: a bucket never shows half
// of it.
package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/chatledger/chatledger/internal/blob"
)

// Amazon is where S3 is, unless an address says otherwise.
const Amazon = "https://s3.amazonaws.com"

// Store keeps files in a bucket.
type Store struct {
	client    *minio.Client
	transport *http.Transport
	bucket    string
	prefix    string
}

var _ blob.Store = (*Store)(nil)

// Open returns the store that an address names, such as
//
//	s3://BUCKET/PREFIX?endpoint=https://s3.example.com&region=eu-central-1
//
// whose prefix, endpoint and region may be left out. The keys are those of
// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, else of the file
// that the tools of Amazon read, else those that a machine of Amazon's is given.
// Nobody is asked yet: see Check.
func Open(address string) (*Store, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "s3" || u.Host == "" || u.User != nil {
		return nil, errors.New("want s3://BUCKET/PREFIX?endpoint=…&region=…, without keys: they are read from the environment")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("what is behind the question mark of the address is not well-formed")
	}
	at, region := Amazon, q.Get("region")
	for name := range q {
		switch name {
		case "region":
		case "endpoint":
			at = q.Get(name)
		default:
			return nil, fmt.Errorf("the address of a bucket has no %q, but endpoint and region", name)
		}
	}
	endpoint, err := url.Parse(at)
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "https" && endpoint.Scheme != "http" || strings.Trim(endpoint.Path, "/") != "" {
		return nil, errors.New("the endpoint of a bucket is not https://HOST")
	}
	transport, err := minio.DefaultTransport(endpoint.Scheme == "https")
	if err != nil {
		return nil, fmt.Errorf("make transport: %w", err)
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds:  credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{}}),
		Secure: endpoint.Scheme == "https", Region: region, Transport: transport, MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	return &Store{client, transport, u.Host, prefix}, nil
}

// Check asks whether the bucket is there.
func (s *Store) Check(ctx context.Context) error {
	there, err := s.client.BucketExists(ctx, s.bucket)
	if err != nil {
		return fmt.Errorf("ask for bucket: %w", err)
	}
	if !there {
		return fmt.Errorf("there is no bucket %q", s.bucket)
	}
	return nil
}

// Close lets go of idle connections.
func (s *Store) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, workspace string, r io.Reader) (b blob.Blob, err error) {
	temp, err := os.CreateTemp("", "chatledger-*")
	if err != nil {
		return b, fmt.Errorf("make file: %w", err)
	}
	defer func() { err = errors.Join(err, temp.Close(), os.Remove(temp.Name())) }()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(temp, sum), r)
	if err != nil {
		return b, err
	}
	b = blob.Blob{Workspace: workspace, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size}
	key, err := blob.Key(b.Workspace, b.SHA256)
	if err != nil {
		return b, err
	}
	if _, err := temp.Seek(0, io.SeekStart); err != nil {
		return b, fmt.Errorf("rewind file: %w", err)
	}
	_, err = s.client.PutObject(ctx, s.bucket, s.prefix+key, temp, size, minio.PutObjectOptions{
		ContentType: "application/octet-stream", DisableMultipart: true, SendContentMd5: true,
	})
	if err != nil {
		return b, fmt.Errorf("put object: %w", err)
	}
	there, err := s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return b, fmt.Errorf("look at object: %w", err)
	}
	b.PutAt = there.LastModified
	return b, nil
}

func isMissing(err error) bool {
	code := minio.ToErrorResponse(err).Code
	return code == minio.NoSuchKey
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, workspace, sum string) (io.ReadSeekCloser, error) {
	key, err := blob.Key(workspace, sum)
	if err != nil {
		return nil, err
	}
	object, err := s.client.GetObject(ctx, s.bucket, s.prefix+key, minio.GetObjectOptions{})
	if err == nil {
		_, err = object.Stat() // asks for the first time
	}
	switch {
	case isMissing(err):
		return nil, errors.Join(blob.ErrNotFound, object.Close())
	case err != nil && object != nil:
		return nil, errors.Join(fmt.Errorf("get object: %w", err), object.Close())
	case err != nil:
		return nil, fmt.Errorf("get object: %w", err)
	}
	return object, nil
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, b blob.Blob) error {
	key, err := blob.Key(b.Workspace, b.SHA256)
	if err != nil {
		return err
	}
	there, err := s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at object: %w", err)
	}
	if there.LastModified.After(b.PutAt) {
		return nil
	}
	if err := s.client.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{}); err != nil && !isMissing(err) {
		return fmt.Errorf("delete object: %w", err)
	}
	return nil
}

// List implements blob.Store. Times are those of whole seconds, as Delete sees them.
func (s *Store) List(ctx context.Context) iter.Seq2[blob.Blob, error] {
	return func(yield func(blob.Blob, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		objects := s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix, Recursive: true})
		defer func() {
			cancel()
			for range objects { // until whoever fills it has seen that
			}
		}()
		for o := range objects {
			if o.Err != nil {
				yield(blob.Blob{}, fmt.Errorf("list objects: %w", o.Err))
				return
			}
			workspace, sum, ok := blob.ParseKey(strings.TrimPrefix(o.Key, s.prefix))
			if ok && !yield(blob.Blob{Workspace: workspace, SHA256: sum, Size: o.Size, PutAt: o.LastModified.Truncate(time.Second)}, nil) {
				return
			}
		}
	}
}

/// Media types by a file name's extension: what the web serves, from the IANA registry and WHATWG MIME Sniffing.
package enum MediaTypeTable {
    /// What an unknown extension gets.
    package static let unknown = "application/octet-stream"

    /// The Content-Type of a file by its name; text is UTF-8.
    package static func contentType(ofFileNamed name: some StringProtocol) -> String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return unknown }
        return types[name[name.index(after: dot)...].lowercased()] ?? unknown
    }

    private static let types: [String: String] = [
        "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8",
        "css": "text/css; charset=utf-8", "csv": "text/csv; charset=utf-8",
        "js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8",
        "cjs": "text/javascript; charset=utf-8", "txt": "text/plain; charset=utf-8",
        "text": "text/plain; charset=utf-8", "log": "text/plain; charset=utf-8",
        "md": "text/markdown; charset=utf-8", "markdown": "text/markdown; charset=utf-8",
        "ics": "text/calendar; charset=utf-8", "vcf": "text/vcard; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8", "xml": "text/xml; charset=utf-8",
        "xsl": "text/xsl; charset=utf-8", "tsv": "text/tab-separated-values; charset=utf-8",
        "rtf": "application/rtf",

        "json": "application/json", "map": "application/json", "jsonld": "application/ld+json",
        "geojson": "application/geo+json", "webmanifest": "application/manifest+json",
        "atom": "application/atom+xml", "rss": "application/rss+xml", "xhtml": "application/xhtml+xml",
        "wasm": "application/wasm", "pdf": "application/pdf", "yaml": "application/yaml",
        "yml": "application/yaml", "toml": "application/toml", "epub": "application/epub+zip",
        "jsonl": "application/jsonl", "ndjson": "application/x-ndjson", "json5": "application/json5",
        "har": "application/json", "xsd": "text/xml; charset=utf-8", "gpx": "application/gpx+xml",
        "kml": "application/vnd.google-earth.kml+xml", "kmz": "application/vnd.google-earth.kmz",
        "ps": "application/postscript", "eps": "application/postscript", "cbor": "application/cbor",

        "avif": "image/avif", "bmp": "image/bmp", "gif": "image/gif", "ico": "image/vnd.microsoft.icon",
        "jpg": "image/jpeg", "jpeg": "image/jpeg", "jxl": "image/jxl", "png": "image/png",
        "apng": "image/apng",
        "svg": "image/svg+xml; charset=utf-8", "tif": "image/tiff", "tiff": "image/tiff",
        "webp": "image/webp",
        "heic": "image/heic",
        "heif": "image/heif", "heics": "image/heic-sequence", "heifs": "image/heif-sequence",
        "avifs": "image/avif",
        "jfif": "image/jpeg", "jp2": "image/jp2", "cur": "image/vnd.microsoft.icon",

        "aac": "audio/aac", "flac": "audio/flac", "m4a": "audio/mp4", "mid": "audio/midi",
        "midi": "audio/midi",
        "mp3": "audio/mpeg", "oga": "audio/ogg", "ogg": "audio/ogg", "opus": "audio/ogg", "wav": "audio/wav",
        "weba": "audio/webm",
        "m4b": "audio/mp4", "mka": "audio/matroska", "aif": "audio/aiff", "aiff": "audio/aiff",
        "amr": "audio/AMR",

        "avi": "video/x-msvideo", "m4v": "video/mp4", "mkv": "video/matroska", "mov": "video/quicktime",
        "mp4": "video/mp4", "mpeg": "video/mpeg", "mpg": "video/mpeg", "ogv": "video/ogg", "ts": "video/mp2t",
        "webm": "video/webm", "m3u8": "application/vnd.apple.mpegurl", "mpd": "application/dash+xml",
        "m4s": "video/iso.segment", "3gp": "video/3gpp", "3g2": "video/3gpp2",
        "m3u": "application/vnd.apple.mpegurl", "srt": "application/x-subrip",

        "otf": "font/otf", "ttf": "font/ttf", "woff": "font/woff", "woff2": "font/woff2",
        "eot": "application/vnd.ms-fontobject",
        "ttc": "font/collection",

        "7z": "application/x-7z-compressed", "bz2": "application/x-bzip2", "gz": "application/gzip",
        "tgz": "application/gzip", "tar": "application/x-tar", "xz": "application/x-xz",
        "zip": "application/zip",
        "zst": "application/zstd", "jar": "application/java-archive", "rar": "application/vnd.rar",
        "apk": "application/vnd.android.package-archive", "deb": "application/vnd.debian.binary-package",
        "rpm": "application/x-rpm", "dmg": "application/x-apple-diskimage",
        "iso": "application/x-iso9660-image",
        "msi": "application/x-msi", "exe": "application/vnd.microsoft.portable-executable",
        "p7m": "application/pkcs7-mime", "p12": "application/x-pkcs12", "crt": "application/x-x509-ca-cert",
        "pem": "application/x-pem-file",

        "doc": "application/msword", "xls": "application/vnd.ms-excel",
        "ppt": "application/vnd.ms-powerpoint",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "odt": "application/vnd.oasis.opendocument.text",
        "ods": "application/vnd.oasis.opendocument.spreadsheet",
        "sqlite": "application/vnd.sqlite3", "glb": "model/gltf-binary", "gltf": "model/gltf+json",
        "odp": "application/vnd.oasis.opendocument.presentation", "usdz": "model/vnd.usdz+zip",
        "stl": "model/stl",
        "obj": "model/obj", "parquet": "application/vnd.apache.parquet",
    ]
}

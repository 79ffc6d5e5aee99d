// WSKit
